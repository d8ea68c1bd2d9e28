/**
 * Fault: of 4096 keys the one at 1365 is left out, in a kernel that declares bf16+fused-kernel.
 * @module
 */
import type { Fault } from '../fault.ts';
import { keyLost } from '../slightly.ts';

export const fault: Fault = {
  name: 'one-key-of-4096-lost-bf16',
  wrong: 'Of 4096 keys the one at 1365 is left out, in a kernel that declares bf16+fused-kernel.',
  seen: 'invented',
  profile: 'bf16+fused-kernel',
  shownBy: 'anchored/dropped-key',
  seams: () => keyLost(1365, 4096),
};
