/**
 * Fault: dS is 0.4 % too small in a kernel that declares f16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { scoreGradientTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'score-gradient-four-thousandths-off-f16',
  wrong: 'dS is 0.4 % too small in a kernel that declares f16+fused-kernel.',
  seen: 'invented',
  profile: 'f16+fused-kernel',
  shownBy: 'anchored/score-gradient',
  seams: () => scoreGradientTimes(0.996),
};
