/**
 * Fault: dS is rounded to bf16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'score-gradient-in-bf16',
  wrong: 'dS is rounded to bf16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-dlse',
  seams: () => ({ round: (honest) => ({ ...honest, scoreGradient: to('bf16') }) }),
};
