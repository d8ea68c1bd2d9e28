/**
 * Fault: D is 1 % too large in a kernel that declares f16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { deltaTimes } from '../slightly.ts';

export const fault: Fault = {
  name: 'delta-percent-off-f16',
  wrong: 'D is 1 % too large in a kernel that declares f16+fused-kernel.',
  seen: 'invented',
  profile: 'f16+fused-kernel',
  shownBy: 'anchored/delta',
  seams: () => deltaTimes(1.01),
};
