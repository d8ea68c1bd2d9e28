/**
 * Fault: scores are rounded to bf16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'score-in-bf16',
  wrong: 'Scores are rounded to bf16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'probe/shift-minus-300-one-rank',
  seams: () => ({ round: (honest) => ({ ...honest, score: to('bf16') }) }),
};
