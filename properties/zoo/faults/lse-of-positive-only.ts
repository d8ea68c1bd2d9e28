/**
 * Fault: the LSE handed out is clipped at zero.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'lse-of-positive-only',
  wrong: 'The LSE handed out is clipped at zero.',
  seen: 'invented',
  shownBy: 'probe/finite-sentinel',
  seams: () => ({
    finish: (_x, { lse }) =>
      lse?.forEach((value, n) => {
        if (value !== Number.NEGATIVE_INFINITY) lse[n] = Math.max(0, value);
      }),
  }),
};
