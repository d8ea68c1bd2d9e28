/**
 * Fault: the features get no gradient.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'recompute-features-no-gradient',
  wrong: 'The features get no gradient.',
  seen: 'LVX-15',
  shownBy: 'pair/mask-and-recompute',
  seams: () => ({ finishBackward: (_x, { d_y }) => d_y?.fill(0) }),
};
