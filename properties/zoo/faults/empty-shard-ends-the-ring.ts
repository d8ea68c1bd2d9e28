/**
 * Fault: the ring ends at the first empty shard.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'empty-shard-ends-the-ring',
  wrong: 'The ring ends at the first empty shard.',
  seen: 'invented',
  shownBy: 'shape/one-key',
  seams: () => ({
    source: (x, home, step) => {
      for (let n = 0; n < step; n++) {
        const passed = HONEST.source(x, home, n);
        if (x.p.partition.kv[passed] === 0) return passed;
      }
      return HONEST.source(x, home, step);
    },
  }),
};
