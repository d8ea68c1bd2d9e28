/**
 * Fault: dP leaves out the dropout factor.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dropout-missing-in-dp',
  wrong: 'dP leaves out the dropout factor.',
  seen: 'B-6',
  shownBy: 'exact/one-hot-dropout',
  seams: () => ({
    dProbability: (x, at) => {
      const kappa = HONEST.kappa(x, at);
      if (kappa !== 0) return HONEST.dProbability(x, at) / kappa;
      let sum = 0;
      for (let c = 0; c < x.p.head_dim_v; c++)
        sum += x.seams.cotangent(x, at, c) * x.seams.value(x, at, c);
      return x.round.score(sum);
    },
  }),
};
