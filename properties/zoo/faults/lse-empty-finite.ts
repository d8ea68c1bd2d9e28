/**
 * Fault: the LSE of a row without keys is −10³⁰.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'lse-empty-finite',
  wrong: 'The LSE of a row without keys is −10³⁰.',
  seen: 'invented',
  shownBy: 'feature/media',
  seams: () => ({
    finish: (_x, { lse }) =>
      lse?.forEach((value, n) => {
        if (value === Number.NEGATIVE_INFINITY) lse[n] = -1e30;
      }),
  }),
};
