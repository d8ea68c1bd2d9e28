/**
 * Fault: dQ is 0.4 % too large in a kernel that declares bf16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { gradientTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'query-gradient-four-thousandths-off-bf16',
  wrong: 'dQ is 0.4 % too large in a kernel that declares bf16+fused-kernel.',
  seen: 'invented',
  profile: 'bf16+fused-kernel',
  shownBy: 'anchored/score-gradient',
  seams: () => gradientTimes('d_q', 1.004),
};
