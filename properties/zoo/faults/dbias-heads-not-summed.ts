/**
 * Fault: dBias is not summed over the heads.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dbias-heads-not-summed',
  wrong: 'dBias is not summed over the heads.',
  seen: 'B-11',
  shownBy: 'pair/bias-and-varlen',
  seams: () => ({
    add: (x, name, old, term, at) =>
      name === 'd_bias' && at.h > 0 && (x.inputs.bias?.shape.at(-3) ?? 1) === 1
        ? old
        : HONEST.add(x, name, old, term, at),
  }),
};
