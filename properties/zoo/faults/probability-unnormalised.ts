/**
 * Fault: P in the backward pass is e^s without the LSE.
 * @module
 */

import { exp } from '../../../reference/numbers/float64.ts';
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'probability-unnormalised',
  wrong: 'P in the backward pass is e^s without the LSE.',
  seen: 'invented',
  shownBy: 'probe/keys-far-above-zero',
  seams: () => ({ probability: (x, _at, s) => x.round.exponential(exp(s)) }),
};
