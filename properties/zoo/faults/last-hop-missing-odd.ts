/**
 * Fault: the ring makes one hop too few when it has an odd number of ranks.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'last-hop-missing-odd',
  wrong: 'The ring makes one hop too few when it has an odd number of ranks.',
  seen: 'invented',
  shownBy: 'probe/causal-top-left-ranks-gradients',
  seams: () => ({
    hops: (x) => {
      const { ranks } = x.p.partition;
      return ranks > 1 && ranks % 2 === 1 ? ranks - 1 : ranks;
    },
  }),
};
