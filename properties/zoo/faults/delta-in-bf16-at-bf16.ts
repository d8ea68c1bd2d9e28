/**
 * Fault: D is kept in bf16, not in f32, at profile bf16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'delta-in-bf16-at-bf16',
  wrong: 'D is kept in bf16, not in f32, at profile bf16.',
  seen: 'invented',
  profile: 'bf16',
  shownBy: 'probe/delta-stands-still',
  seams: () => ({ round: (honest) => ({ ...honest, delta: to('bf16') }) }),
};
