/**
 * Fault: dV is 0.4 % too large in a kernel that declares f16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { gradientTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'value-gradient-four-thousandths-off-f16',
  wrong: 'dV is 0.4 % too large in a kernel that declares f16+fused-kernel.',
  seen: 'invented',
  profile: 'f16+fused-kernel',
  shownBy: 'anchored/value-gradient',
  seams: () => gradientTimes('d_v', 1.004),
};
