/**
 * Fault: the partial output between ranks is rounded to bf16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'partial-in-bf16',
  wrong: 'The partial output between ranks is rounded to bf16 by a candidate that declares f32.',
  seen: 'R-15',
  shownBy: 'pair/gqa-and-causal-top-left',
  seams: () => ({ round: (honest) => ({ ...honest, partial: to('bf16') }) }),
};
