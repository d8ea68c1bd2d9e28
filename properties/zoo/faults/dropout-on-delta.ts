/**
 * Fault: the dropout factor multiplies D as well.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dropout-on-delta',
  wrong: 'The dropout factor multiplies D as well.',
  seen: 'B-6',
  shownBy: 'exact/one-hot-dropout',
  seams: () => ({
    dScore: (x, at, p, g, delta) => HONEST.dScore(x, at, p, g, delta * HONEST.kappa(x, at)),
  }),
};
