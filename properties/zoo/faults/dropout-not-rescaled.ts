/**
 * Fault: kept weights are not divided by 1 − rate.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dropout-not-rescaled',
  wrong: 'Kept weights are not divided by 1 − rate.',
  seen: 'invented',
  shownBy: 'exact/one-hot-dropout',
  seams: () => ({ kappa: (x, at) => (HONEST.kappa(x, at) === 0 ? 0 : 1) }),
};
