/**
 * Fault: exp good to three parts in 10⁵ (a fast approximation).
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'fast-exp',
  wrong: 'exp good to three parts in 10⁵ (a fast approximation).',
  seen: 'invented',
  shownBy: 'shape/queries-127-one-rank',
  seams: () => ({
    exponential: (x, s, m) => {
      const e = HONEST.exponential(x, s, m);
      return e === 1 ? 1 : x.round.exponential(e * (1 + 3e-5));
    },
  }),
};
