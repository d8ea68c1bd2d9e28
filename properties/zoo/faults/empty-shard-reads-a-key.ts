/**
 * Fault: an empty shard is read as one key.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'empty-shard-reads-a-key',
  wrong: 'An empty shard is read as one key.',
  seen: 'invented',
  shownBy: 'shape/one-key',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      return start === stop && x.p.seq_kv > 0
        ? { start: Math.min(start, x.p.seq_kv - 1), stop: Math.min(start, x.p.seq_kv - 1) + 1 }
        : { start, stop };
    },
  }),
};
