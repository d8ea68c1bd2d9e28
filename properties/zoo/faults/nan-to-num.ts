/**
 * Fault: naN and infinities of the LSE become numbers.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'nan-to-num',
  wrong: 'NaN and infinities of the LSE become numbers.',
  seen: 'invented',
  shownBy: 'feature/media',
  seams: () => ({
    finish: (_x, { lse }) =>
      lse?.forEach((value, n) => {
        if (!Number.isFinite(value)) lse[n] = -Number.MAX_VALUE;
      }),
  }),
};
