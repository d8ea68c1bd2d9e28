/**
 * Fault: dBias is not summed over the rows.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dbias-rows-not-summed',
  wrong: 'dBias is not summed over the rows.',
  seen: 'B-11',
  shownBy: 'probe/bias-per-batch',
  seams: () => ({
    add: (x, name, old, term, at) =>
      name === 'd_bias' && at.i > 0 && (x.inputs.bias?.shape.at(-2) ?? 1) === 1
        ? old
        : HONEST.add(x, name, old, term, at),
  }),
};
