/**
 * Fault: the LSE is rounded to bf16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'lse-in-bf16',
  wrong: 'The LSE is rounded to bf16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'probe/shift-minus-300-gradients',
  seams: () => ({ round: (honest) => ({ ...honest, lse: to('bf16') }) }),
};
