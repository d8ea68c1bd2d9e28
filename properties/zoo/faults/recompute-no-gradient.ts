/**
 * Fault: the recomputing backward returns no gradient for features and weights.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'recompute-no-gradient',
  wrong: 'The recomputing backward returns no gradient for features and weights.',
  seen: 'LVX-15',
  shownBy: 'model/openflamingo-recompute',
  seams: () => ({
    finishBackward: (_x, gradients) => {
      for (const name of ['d_y', 'd_w_k', 'd_w_v'] as const) gradients[name]?.fill(0);
    },
  }),
};
