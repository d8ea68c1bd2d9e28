/**
 * Fault: the factor scale is missing from dQ and dK.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'scale-missing-backward',
  wrong: 'The factor scale is missing from dQ and dK.',
  seen: 'invented',
  shownBy: 'probe/large-scores-small-scale',
  seams: () => ({
    dScore: (x, at, p, g, delta) => {
      const dS = HONEST.dScore(x, at, p, g, delta);
      return x.p.scale === 0 ? dS : dS / x.p.scale;
    },
  }),
};
