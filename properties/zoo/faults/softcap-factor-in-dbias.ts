/**
 * Fault: dBias carries the softcap’s factor.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'softcap-factor-in-dbias',
  wrong: 'dBias carries the softcap’s factor.',
  seen: 'invented',
  shownBy: 'probe/softcap-then-bias',
  seams: () => ({
    score: (x, at) => {
      const score = HONEST.score(x, at);
      return at.pass === 'backward' && score !== null ? { s: score.s, t: null } : score;
    },
    dScore: (x, at, p, g, delta) => {
      const t = HONEST.score(x, at)?.t ?? null;
      const dS = HONEST.dScore(x, at, p, g, delta);
      return t === null ? dS : x.round.score(dS * (1 - t * t));
    },
  }),
};
