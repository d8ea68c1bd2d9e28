/**
 * Fault: the sum of exponentials is kept in f16, not in f32, at profile f16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'sum-in-f16-at-f16',
  wrong: 'The sum of exponentials is kept in f16, not in f32, at profile f16.',
  seen: 'invented',
  profile: 'f16',
  shownBy: 'shape/head-dim-1',
  seams: () => ({ round: (honest) => ({ ...honest, sum: to('f16') }) }),
};
