/**
 * Fault: the ring makes one hop too few when it has an even number of ranks.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'last-hop-missing-even',
  wrong: 'The ring makes one hop too few when it has an even number of ranks.',
  seen: 'invented',
  shownBy: 'probe/only-last-shard-visible',
  seams: () => ({
    hops: (x) => {
      const { ranks } = x.p.partition;
      return ranks % 2 === 0 ? ranks - 1 : ranks;
    },
  }),
};
