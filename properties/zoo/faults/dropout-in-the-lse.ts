/**
 * Fault: dropped keys are left out of the denominator too.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dropout-in-the-lse',
  wrong: 'Dropped keys are left out of the denominator too.',
  seen: 'invented',
  shownBy: 'exact/one-hot-dropout',
  seams: () => ({
    addKey: (x, state, at, e) => {
      if (HONEST.kappa(x, at) !== 0) HONEST.addKey(x, state, at, e);
    },
  }),
};
