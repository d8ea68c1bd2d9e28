/**
 * Fault: dBias carries the scale.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'dbias-scaled',
  wrong: 'dBias carries the scale.',
  seen: 'invented',
  shownBy: 'bias/2x4x5x11',
  seams: () => ({
    finishBackward: (x, { d_bias }) =>
      d_bias?.forEach((value, n) => {
        d_bias[n] = value * x.p.scale;
      }),
  }),
};
