/**
 * Fault: scores are rounded to f32 at profile f64.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'score-in-f32-at-f64',
  wrong: 'Scores are rounded to f32 at profile f64.',
  seen: 'invented',
  profile: 'f64',
  shownBy: 'probe/shard-1-dominates',
  seams: () => ({ round: (honest) => ({ ...honest, score: Math.fround }) }),
};
