/**
 * Fault: dK is 2 % too large in a kernel that declares f16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { gradientTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'key-gradient-two-percent-off-f16',
  wrong: 'dK is 2 % too large in a kernel that declares f16+fused-kernel.',
  seen: 'invented',
  profile: 'f16+fused-kernel',
  shownBy: 'anchored/score-gradient',
  seams: () => gradientTimes('d_k', 1.02),
};
