/**
 * Fault: scores below −10⁴ are raised to it.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'scores-clamped-below',
  wrong: 'Scores below −10⁴ are raised to it.',
  seen: 'F-6',
  shownBy: 'probe/finite-sentinel',
  seams: () => ({
    score: (x, at) => {
      const score = HONEST.score(x, at);
      return score === null ? null : { ...score, s: Math.max(-1e4, score.s) };
    },
  }),
};
