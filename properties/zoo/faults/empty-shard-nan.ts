/**
 * Fault: A shard that is fully masked for a row divides 0 by 0.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'empty-shard-nan',
  wrong: 'A shard that is fully masked for a row divides 0 by 0.',
  seen: 'LVX-14',
  shownBy: 'feature/media',
  seams: () => ({
    shard: (x, state, row) =>
      state.l === 0
        ? { lse: Number.NaN, o: state.o.map(() => Number.NaN) }
        : HONEST.shard(x, state, row),
  }),
};
