/**
 * Fault: the weighted sum of V is rounded to bf16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'accumulate-in-bf16',
  wrong: 'The weighted sum of V is rounded to bf16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'feature/varlen',
  seams: () => ({ round: (honest) => ({ ...honest, accumulate: to('bf16') }) }),
};
