/**
 * Fault: the scale is 2 % too large in a kernel that declares f16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { scaleTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'scale-two-percent-off-f16',
  wrong: 'The scale is 2 % too large in a kernel that declares f16+fused-kernel.',
  seen: 'invented',
  profile: 'f16+fused-kernel',
  shownBy: 'anchored/scale',
  seams: () => scaleTimes(1.02),
};
