/**
 * Fault: uneven shards are read as if all had the size of an even split.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'even-shards-assumed',
  wrong: 'Uneven shards are read as if all had the size of an even split.',
  seen: 'invented',
  shownBy: 'pair/recompute-and-uneven',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const size = Math.ceil(x.p.seq_kv / x.p.partition.ranks);
      const honest = HONEST.keyRange(x, source, pass, home);
      return x.p.partition.ranks === 1
        ? honest
        : {
            start: Math.min(source * size, x.p.seq_kv),
            stop: Math.min(
              source * size + size - (honest.stop - honest.start === size ? 0 : 1),
              x.p.seq_kv,
            ),
          };
    },
  }),
};
