/**
 * Fault: the weighted sum of V is kept in f16, not in f32, at profile f16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'accumulate-in-f16-at-f16',
  wrong: 'The weighted sum of V is kept in f16, not in f32, at profile f16.',
  seen: 'F-12',
  profile: 'f16',
  shownBy: 'probe/one-signed-values',
  seams: () => ({ round: (honest) => ({ ...honest, accumulate: to('f16') }) }),
};
