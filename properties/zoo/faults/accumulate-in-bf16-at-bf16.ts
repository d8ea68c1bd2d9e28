/**
 * Fault: the weighted sum of V is kept in bf16, not in f32, at profile bf16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'accumulate-in-bf16-at-bf16',
  wrong: 'The weighted sum of V is kept in bf16, not in f32, at profile bf16.',
  seen: 'invented',
  profile: 'bf16',
  shownBy: 'probe/one-signed-values',
  seams: () => ({ round: (honest) => ({ ...honest, accumulate: to('bf16') }) }),
};
