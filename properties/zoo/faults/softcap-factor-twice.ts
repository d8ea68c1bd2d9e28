/**
 * Fault: the factor 1 − tanh² is applied twice.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'softcap-factor-twice',
  wrong: 'The factor 1 − tanh² is applied twice.',
  seen: 'invented',
  shownBy: 'probe/softcap-strong',
  seams: () => ({ capFactor: (x, t) => x.round.score((1 - t * t) ** 2) }),
};
