/**
 * Fault: the LSE is kept in f16, not in f32, at profile f16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'lse-in-f16-at-f16',
  wrong: 'The LSE is kept in f16, not in f32, at profile f16.',
  seen: 'invented',
  profile: 'f16',
  shownBy: 'probe/scale-zero',
  seams: () => ({ round: (honest) => ({ ...honest, lse: to('f16') }) }),
};
