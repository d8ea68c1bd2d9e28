/**
 * Fault: dBias is averaged over the batch.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'dbias-averaged',
  wrong: 'dBias is averaged over the batch.',
  seen: 'invented',
  shownBy: 'pair/bias-and-media',
  seams: () => ({
    finishBackward: (x, { d_bias }) => {
      if ((x.inputs.bias?.shape.at(-4) ?? 1) === 1)
        d_bias?.forEach((value, n) => {
          d_bias[n] = value / x.p.batch;
        });
    },
  }),
};
