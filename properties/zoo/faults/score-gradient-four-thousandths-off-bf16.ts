/**
 * Fault: dS is 0.4 % too large in a kernel that declares bf16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { scoreGradientTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'score-gradient-four-thousandths-off-bf16',
  wrong: 'dS is 0.4 % too large in a kernel that declares bf16+fused-kernel.',
  seen: 'invented',
  profile: 'bf16+fused-kernel',
  shownBy: 'anchored/score-gradient',
  seams: () => scoreGradientTimes(1.004),
};
