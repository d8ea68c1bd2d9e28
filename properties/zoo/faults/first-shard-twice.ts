/**
 * Fault: A replicated block is counted by every rank: rank 0’s keys once more at the end of the ring.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'first-shard-twice',
  wrong:
    'A replicated block is counted by every rank: rank 0’s keys once more at the end of the ring.',
  seen: 'R-20',
  shownBy: 'exact/one-hot-ranks',
  seams: () => ({
    hops: (x) => x.p.partition.ranks + (x.p.partition.ranks > 1 ? 1 : 0),
    source: (x, home, step) => (step === x.p.partition.ranks ? 0 : HONEST.source(x, home, step)),
  }),
};
