/**
 * Fault: scores are rounded to f16 by a candidate that declares f32.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'score-in-f16',
  wrong: 'Scores are rounded to f16 by a candidate that declares f32.',
  seen: 'invented',
  shownBy: 'probe/large-scores-small-scale',
  seams: () => ({ round: (honest) => ({ ...honest, score: to('f16') }) }),
};
