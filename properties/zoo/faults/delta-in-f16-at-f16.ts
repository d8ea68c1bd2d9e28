/**
 * Fault: D is kept in f16, not in f32, at profile f16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'delta-in-f16-at-f16',
  wrong: 'D is kept in f16, not in f32, at profile f16.',
  seen: 'invented',
  profile: 'f16',
  shownBy: 'probe/delta-stands-still',
  seams: () => ({ round: (honest) => ({ ...honest, delta: to('f16') }) }),
};
