/**
 * Fault: P is rounded to bf16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'probability-in-bf16',
  wrong: 'P is rounded to bf16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-dropout',
  seams: () => ({ round: (honest) => ({ ...honest, probability: to('bf16') }) }),
};
