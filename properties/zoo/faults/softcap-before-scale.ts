/**
 * Fault: the softcap is applied before the scale.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'softcap-before-scale',
  wrong: 'The softcap is applied before the scale.',
  seen: 'invented',
  shownBy: 'pair/bias-and-softcap',
  seams: () => ({
    score: (x, at) => {
      if (!x.seams.visible(x, at)) return null;
      const { s, t } = HONEST.capped(x, x.seams.dot(x, at));
      return { s: x.round.score(x.p.scale * s + x.seams.bias(x, at)), t };
    },
  }),
};
