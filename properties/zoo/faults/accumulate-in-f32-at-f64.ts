/**
 * Fault: the weighted sum of V is rounded to f32 at profile f64.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'accumulate-in-f32-at-f64',
  wrong: 'The weighted sum of V is rounded to f32 at profile f64.',
  seen: 'invented',
  profile: 'f64',
  shownBy: 'pair/gqa-and-causal-top-left',
  seams: () => ({ round: (honest) => ({ ...honest, accumulate: Math.fround }) }),
};
