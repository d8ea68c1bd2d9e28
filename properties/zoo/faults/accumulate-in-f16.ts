/**
 * Fault: the weighted sum of V is rounded to f16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'accumulate-in-f16',
  wrong: 'The weighted sum of V is rounded to f16 by a candidate that declares f32.',
  seen: 'F-12',
  shownBy: 'pair/causal-bottom-right-and-media',
  seams: () => ({ round: (honest) => ({ ...honest, accumulate: to('f16') }) }),
};
