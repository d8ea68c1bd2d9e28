/**
 * Fault: sums of gradients are rounded to bf16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'gradient-in-bf16',
  wrong: 'Sums of gradients are rounded to bf16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-dlse',
  seams: () => ({ round: (honest) => ({ ...honest, gradient: to('bf16') }) }),
};
