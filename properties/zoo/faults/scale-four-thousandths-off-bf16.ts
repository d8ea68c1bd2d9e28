/**
 * Fault: the scale is 0.4 % too large in a kernel that declares bf16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { scaleTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'scale-four-thousandths-off-bf16',
  wrong: 'The scale is 0.4 % too large in a kernel that declares bf16+fused-kernel.',
  seen: 'invented',
  profile: 'bf16+fused-kernel',
  shownBy: 'anchored/scale',
  seams: () => scaleTimes(1.004),
};
