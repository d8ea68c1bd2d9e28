/**
 * Fault: the sum is rescaled, the weighted sum is not.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'rescale-output-missing',
  wrong: 'The sum is rescaled, the weighted sum is not.',
  seen: 'invented',
  shownBy: 'pair/causal-bottom-right-and-varlen',
  seams: () => ({
    rescaled: (x, state, alpha) => {
      state.l = x.round.sum(state.l * alpha);
    },
  }),
};
