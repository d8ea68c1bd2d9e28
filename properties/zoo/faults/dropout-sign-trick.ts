/**
 * Fault: P·(P ≥ 0 ? dP − D : D), a trick for dropout encoded in the sign of P, without such an encoding.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dropout-sign-trick',
  wrong:
    'P·(P ≥ 0 ? dP − D : D), a trick for dropout encoded in the sign of P, without such an encoding.',
  seen: 'B-12',
  shownBy: null,
  unseen: 'Equivalent: P = e^x is never negative, so the other branch is dead.',
  seams: () => ({
    dScore: (x, at, p, g, delta) =>
      p >= 0 ? HONEST.dScore(x, at, p, g, delta) : x.round.score(p * delta),
  }),
};
