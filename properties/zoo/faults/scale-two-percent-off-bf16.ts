/**
 * Fault: the scale is 2 % too small in a kernel that declares bf16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { scaleTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'scale-two-percent-off-bf16',
  wrong: 'The scale is 2 % too small in a kernel that declares bf16+fused-kernel.',
  seen: 'invented',
  profile: 'bf16+fused-kernel',
  shownBy: 'anchored/scale',
  seams: () => scaleTimes(0.98),
};
