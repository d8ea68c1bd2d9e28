/**
 * Fault: dS has P twice.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dscore-squared-probability',
  wrong: 'dS has P twice.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-sink',
  seams: () => ({
    dScore: (x, at, p, g, delta) => x.round.score(p * HONEST.dScore(x, at, p, g, delta)),
  }),
};
