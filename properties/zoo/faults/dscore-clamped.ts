/**
 * Fault: dS is clamped to ±4.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dscore-clamped',
  wrong: 'dS is clamped to ±4.',
  seen: 'invented',
  shownBy: 'probe/huge-cotangent',
  seams: () => ({
    dScore: (x, at, p, g, delta) => Math.max(-4, Math.min(4, HONEST.dScore(x, at, p, g, delta))),
  }),
};
