/**
 * Fault: D is 1 % too large in a kernel that declares bf16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { deltaTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'delta-percent-off-bf16',
  wrong: 'D is 1 % too large in a kernel that declares bf16+fused-kernel.',
  seen: 'invented',
  profile: 'bf16+fused-kernel',
  shownBy: 'anchored/delta',
  seams: () => deltaTimes(1.01),
};
