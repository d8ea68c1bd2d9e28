/**
 * Fault: ranks past the tenth are left out.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'ring-of-more-than-ten',
  wrong: 'Ranks past the tenth are left out.',
  seen: 'invented',
  shownBy: 'exact/places-1x1-1x36x40-on-12',
  seams: () => ({ hops: (x) => Math.min(10, x.p.partition.ranks) }),
};
