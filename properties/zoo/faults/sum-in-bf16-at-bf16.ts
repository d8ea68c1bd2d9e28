/**
 * Fault: the sum of exponentials is kept in bf16, not in f32, at profile bf16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'sum-in-bf16-at-bf16',
  wrong: 'The sum of exponentials is kept in bf16, not in f32, at profile bf16.',
  seen: 'invented',
  profile: 'bf16',
  shownBy: 'shape/head-dim-1',
  seams: () => ({ round: (honest) => ({ ...honest, sum: to('bf16') }) }),
};
