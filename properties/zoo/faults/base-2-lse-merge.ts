/**
 * Fault: shards report their LSE in base 2, and the merge reads it in base e.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'base-2-lse-merge',
  wrong: 'Shards report their LSE in base 2, and the merge reads it in base e.',
  seen: 'R-7',
  shownBy: 'probe/shift-minus-300-gradients',
  seams: () => ({
    shard: (x, state, row) => {
      const { lse, o } = HONEST.shard(x, state, row);
      return { lse: x.round.lse(lse * Math.LOG2E), o };
    },
  }),
};
