/**
 * Fault: the factor is computed from the capped score in place of its tanh.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'softcap-factor-of-score',
  wrong: 'The factor is computed from the capped score in place of its tanh.',
  seen: 'invented',
  shownBy: 'pair/softcap-and-recompute',
  seams: () => ({ capFactor: (x, t) => x.round.score(1 - (x.p.softcap * t) ** 2) }),
};
