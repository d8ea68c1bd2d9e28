/**
 * Fault: the gradient of the shared features is summed once per rank.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'features-gradient-times-ranks',
  wrong: 'The gradient of the shared features is summed once per rank.',
  seen: 'R-17',
  shownBy: 'model/openflamingo-recompute',
  seams: () => ({
    finishBackward: (x, { d_y }) =>
      d_y?.forEach((value, n) => {
        d_y[n] = value * x.p.partition.ranks;
      }),
  }),
};
