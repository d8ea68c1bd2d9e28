/**
 * Fault: the ring makes one hop too few.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'last-hop-missing',
  wrong: 'The ring makes one hop too few.',
  seen: 'invented',
  shownBy: 'probe/only-last-shard-visible',
  seams: () => ({ hops: (x) => Math.max(1, x.p.partition.ranks - 1) }),
};
