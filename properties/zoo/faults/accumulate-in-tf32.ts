/**
 * Fault: the weighted sum of V is rounded to tf32 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'accumulate-in-tf32',
  wrong: 'The weighted sum of V is rounded to tf32 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/causal-bottom-right-and-media',
  seams: () => ({ round: (honest) => ({ ...honest, accumulate: to('tf32') }) }),
};
