/**
 * Fault: sums of gradients are kept in bf16, not in f32, at profile bf16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'gradient-in-bf16-at-bf16',
  wrong: 'Sums of gradients are kept in bf16, not in f32, at profile bf16.',
  seen: 'invented',
  profile: 'bf16',
  shownBy: 'probe/key-gradients-stand-still',
  seams: () => ({ round: (honest) => ({ ...honest, gradient: to('bf16') }) }),
};
