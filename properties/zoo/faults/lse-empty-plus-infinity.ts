/**
 * Fault: the LSE of a row without keys is +∞ (padding that makes P vanish).
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'lse-empty-plus-infinity',
  wrong: 'The LSE of a row without keys is +∞ (padding that makes P vanish).',
  seen: 'invented',
  shownBy: 'feature/media',
  seams: () => ({
    finish: (_x, { lse }) =>
      lse?.forEach((value, n) => {
        if (value === Number.NEGATIVE_INFINITY) lse[n] = Number.POSITIVE_INFINITY;
      }),
  }),
};
