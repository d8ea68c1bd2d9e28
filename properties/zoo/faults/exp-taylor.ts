/**
 * Fault: exp by its Taylor series to the sixth power.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'exp-taylor',
  wrong: 'exp by its Taylor series to the sixth power.',
  seen: 'invented',
  shownBy: 'pair/dropout-and-recompute',
  seams: () => ({
    exponential: (x, s, m) => {
      const y = s - m;
      let [term, sum] = [1, 1];
      for (let n = 1; n <= 6; n++) {
        term *= y / n;
        sum += term;
      }
      return x.round.exponential(Math.max(0, sum));
    },
  }),
};
