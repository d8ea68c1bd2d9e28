/**
 * Fault: value components past the 16th are zero.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'value-components-past-16',
  wrong: 'Value components past the 16th are zero.',
  seen: 'invented',
  shownBy: 'basic/wide-values',
  seams: () => ({
    finish: (x, { out }) =>
      out?.forEach((_, n) => {
        if (n % x.p.head_dim_v >= 16) out[n] = 0;
      }),
  }),
};
