/**
 * Fault: the LSE is handed out in base 2.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'lse-base-2-output',
  wrong: 'The LSE is handed out in base 2.',
  seen: 'R-7',
  shownBy: 'probe/finite-sentinel',
  seams: () => ({
    finish: (_x, { lse }) =>
      lse?.forEach((value, n) => {
        lse[n] = value * Math.LOG2E;
      }),
  }),
};
