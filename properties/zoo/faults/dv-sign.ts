/**
 * Fault: dV has the wrong sign.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'dv-sign',
  wrong: 'dV has the wrong sign.',
  seen: 'invented',
  shownBy: 'exact/one-hot-gradients',
  seams: () => ({
    finishBackward: (_x, { d_v }) =>
      d_v?.forEach((value, n) => {
        d_v[n] = -value;
      }),
  }),
};
