/**
 * Fault: the factor is 1 − |tanh|.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'softcap-factor-linear',
  wrong: 'The factor is 1 − |tanh|.',
  seen: 'invented',
  shownBy: 'probe/softcap-strong',
  seams: () => ({ capFactor: (x, t) => x.round.score(1 - Math.abs(t)) }),
};
