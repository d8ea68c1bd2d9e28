/**
 * Fault: scores are clamped to ±50 against overflow.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'scores-clamped',
  wrong: 'Scores are clamped to ±50 against overflow.',
  seen: 'invented',
  shownBy: 'probe/shard-1-dominates',
  seams: () => ({
    score: (x, at) => {
      const score = HONEST.score(x, at);
      return score === null ? null : { ...score, s: Math.max(-50, Math.min(50, score.s)) };
    },
  }),
};
