/**
 * Fault: 2^x in place of e^x.
 * @module
 */

import { exp } from '../../../reference/numbers/float64.ts';
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'exp-base-2',
  wrong: '2^x in place of e^x.',
  seen: 'invented',
  shownBy: 'pair/dropout-and-recompute',
  seams: () => ({ exponential: (x, s, m) => x.round.exponential(exp(Math.LN2 * (s - m))) }),
};
