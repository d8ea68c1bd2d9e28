/**
 * Fault: scores are kept in f16, not in f32, at profile f16.
 * @module
 */
import type { Fault } from '../fault.ts';
import { to } from '../host/precision.ts';

export const fault: Fault = {
  name: 'score-in-f16-at-f16',
  wrong: 'Scores are kept in f16, not in f32, at profile f16.',
  seen: 'F-11',
  profile: 'f16',
  shownBy: 'probe/large-scores-small-scale',
  seams: () => ({ round: (honest) => ({ ...honest, score: to('f16') }) }),
};
