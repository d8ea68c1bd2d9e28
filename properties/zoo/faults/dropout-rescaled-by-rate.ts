/**
 * Fault: kept weights are divided by the rate.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dropout-rescaled-by-rate',
  wrong: 'Kept weights are divided by the rate.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-dropout',
  seams: () => ({
    kappa: (x, at) =>
      x.p.dropout_rate === 0
        ? HONEST.kappa(x, at)
        : HONEST.kappa(x, at) === 0
          ? 0
          : 1 / x.p.dropout_rate,
  }),
};
