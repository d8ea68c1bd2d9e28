/**
 * Fault: dQ is 2 % too small in a kernel that declares bf16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { gradientTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'query-gradient-two-percent-off-bf16',
  wrong: 'dQ is 2 % too small in a kernel that declares bf16+fused-kernel.',
  seen: 'invented',
  profile: 'bf16+fused-kernel',
  shownBy: 'anchored/score-gradient',
  seams: () => gradientTimes('d_q', 0.98),
};
