/**
 * Fault: rings of more than four ranks end after four hops.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'five-ranks-only-four',
  wrong: 'Rings of more than four ranks end after four hops.',
  seen: 'invented',
  shownBy: 'ranks/5-uneven',
  seams: () => ({ hops: (x) => Math.min(4, x.p.partition.ranks) }),
};
