/**
 * Fault: the factor 1 − tanh² is left out of the gradient.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'softcap-factor-missing',
  wrong: 'The factor 1 − tanh² is left out of the gradient.',
  seen: 'invented',
  shownBy: 'probe/softcap-strong',
  seams: () => ({ capFactor: () => 1 }),
};
