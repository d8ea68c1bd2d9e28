/**
 * Fault: the output is rounded to bf16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'output-in-bf16',
  wrong: 'The output is rounded to bf16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/gqa-and-causal-top-left',
  seams: () => ({ round: (honest) => ({ ...honest, output: to('bf16') }) }),
};
