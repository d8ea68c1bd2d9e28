/**
 * Fault: dV is divided by 1 + 10⁻⁴.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'dv-rescaled',
  wrong: 'dV is divided by 1 + 10⁻⁴.',
  seen: 'invented',
  shownBy: 'exact/one-hot-gradients',
  seams: () => ({
    finishBackward: (_x, { d_v }) =>
      d_v?.forEach((value, n) => {
        d_v[n] = value / (1 + 1e-4);
      }),
  }),
};
