/**
 * Fault: the LSE is kept in bf16, not in f32, at profile bf16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'lse-in-bf16-at-bf16',
  wrong: 'The LSE is kept in bf16, not in f32, at profile bf16.',
  seen: 'invented',
  profile: 'bf16',
  shownBy: 'shape/head-dim-1',
  seams: () => ({ round: (honest) => ({ ...honest, lse: to('bf16') }) }),
};
