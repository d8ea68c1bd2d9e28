/**
 * Fault: dK is 0.4 % too small in a kernel that declares f16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { gradientTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'key-gradient-four-thousandths-off-f16',
  wrong: 'dK is 0.4 % too small in a kernel that declares f16+fused-kernel.',
  seen: 'invented',
  profile: 'f16+fused-kernel',
  shownBy: 'anchored/score-gradient',
  seams: () => gradientTimes('d_k', 0.996),
};
