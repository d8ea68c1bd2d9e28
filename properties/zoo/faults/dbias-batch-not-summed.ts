/**
 * Fault: dBias is not summed over the batch.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dbias-batch-not-summed',
  wrong: 'dBias is not summed over the batch.',
  seen: 'B-11',
  shownBy: 'bias/1x4x5x11',
  seams: () => ({
    add: (x, name, old, term, at) =>
      name === 'd_bias' && at.b > 0 && (x.inputs.bias?.shape.at(-4) ?? 1) === 1
        ? old
        : HONEST.add(x, name, old, term, at),
  }),
};
