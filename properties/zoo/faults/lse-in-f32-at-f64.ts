/**
 * Fault: the LSE is rounded to f32 at profile f64.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'lse-in-f32-at-f64',
  wrong: 'The LSE is rounded to f32 at profile f64.',
  seen: 'invented',
  profile: 'f64',
  shownBy: 'probe/shift-plus-300',
  seams: () => ({ round: (honest) => ({ ...honest, lse: Math.fround }) }),
};
