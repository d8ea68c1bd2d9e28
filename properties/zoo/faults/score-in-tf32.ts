/**
 * Fault: scores are rounded to tf32 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'score-in-tf32',
  wrong: 'Scores are rounded to tf32 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'probe/shift-plus-300-one-rank',
  seams: () => ({ round: (honest) => ({ ...honest, score: to('tf32') }) }),
};
