/**
 * Fault: sums of gradients are kept in f16, not in f32, at profile f16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'gradient-in-f16-at-f16',
  wrong: 'Sums of gradients are kept in f16, not in f32, at profile f16.',
  seen: 'invented',
  profile: 'f16',
  shownBy: 'probe/query-gradients-stand-still',
  seams: () => ({ round: (honest) => ({ ...honest, gradient: to('f16') }) }),
};
