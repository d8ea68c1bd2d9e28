/**
 * Fault: the LSE of a row without keys is 0.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'lse-empty-zero',
  wrong: 'The LSE of a row without keys is 0.',
  seen: 'invented',
  shownBy: 'feature/media',
  seams: () => ({
    finish: (_x, { lse }) =>
      lse?.forEach((value, n) => {
        if (value === Number.NEGATIVE_INFINITY) lse[n] = 0;
      }),
  }),
};
