/**
 * Fault: the weighted sum is rescaled, the sum is not.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'rescale-sum-missing',
  wrong: 'The weighted sum is rescaled, the sum is not.',
  seen: 'invented',
  shownBy: 'shape/wide-values-gradients',
  seams: () => ({
    rescaled: (x, state, alpha) => {
      state.o.forEach((value, c) => {
        state.o[c] = x.round.accumulate(value * alpha);
      });
    },
  }),
};
