/**
 * Fault: (1 − mask)·(−∞) is NaN at allowed keys.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'mask-times-infinity',
  wrong: '(1 − mask)·(−∞) is NaN at allowed keys.',
  seen: 'F-4',
  shownBy: 'feature/mask',
  seams: () => ({
    score: (x, at) => {
      const score = HONEST.score(x, at);
      return score === null || x.inputs.mask === undefined ? score : { ...score, s: Number.NaN };
    },
  }),
};
