/**
 * Fault: masked scores enter the running maximum.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'poison-in-the-maximum',
  wrong: 'Masked scores enter the running maximum.',
  seen: 'invented',
  shownBy: 'poison/mask',
  seams: () => ({
    score: (x, at) => {
      const score = HONEST.score(x, at);
      if (score !== null) return score;
      const s = HONEST.scaled(x, at, HONEST.dot(x, at));
      return Number.isNaN(s) ? { s, t: 0 } : null;
    },
  }),
};
