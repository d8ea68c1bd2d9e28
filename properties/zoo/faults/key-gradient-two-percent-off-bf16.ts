/**
 * Fault: dK is 2 % too small in a kernel that declares bf16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { gradientTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'key-gradient-two-percent-off-bf16',
  wrong: 'dK is 2 % too small in a kernel that declares bf16+fused-kernel.',
  seen: 'invented',
  profile: 'bf16+fused-kernel',
  shownBy: 'anchored/score-gradient',
  seams: () => gradientTimes('d_k', 0.98),
};
