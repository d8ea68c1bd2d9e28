/**
 * Fault: scores are kept in bf16, not in f32, at profile bf16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'score-in-bf16-at-bf16',
  wrong: 'Scores are kept in bf16, not in f32, at profile bf16.',
  seen: 'invented',
  profile: 'bf16',
  shownBy: 'probe/shift-minus-300',
  seams: () => ({ round: (honest) => ({ ...honest, score: to('bf16') }) }),
};
