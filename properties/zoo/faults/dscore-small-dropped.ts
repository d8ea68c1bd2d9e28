/**
 * Fault: dS of weights below 10⁻³ is left out.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dscore-small-dropped',
  wrong: 'dS of weights below 10⁻³ is left out.',
  seen: 'invented',
  shownBy: 'probe/shards-weigh-little',
  seams: () => ({
    dScore: (x, at, p, g, delta) => (p < 1e-3 ? 0 : HONEST.dScore(x, at, p, g, delta)),
  }),
};
