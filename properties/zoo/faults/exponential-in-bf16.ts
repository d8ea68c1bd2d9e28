/**
 * Fault: exponentials are rounded to bf16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'exponential-in-bf16',
  wrong: 'Exponentials are rounded to bf16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'shape/wide-values-gradients',
  seams: () => ({ round: (honest) => ({ ...honest, exponential: to('bf16') }) }),
};
