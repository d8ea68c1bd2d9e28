/**
 * Fault: the key at the boundary of two shards belongs to both.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'boundary-key-twice',
  wrong: 'The key at the boundary of two shards belongs to both.',
  seen: 'invented',
  shownBy: 'feature/uneven',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      return { start, stop: Math.min(stop + 1, x.p.seq_kv) };
    },
  }),
};
