/**
 * Fault: dBias is not summed over the keys.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dbias-keys-not-summed',
  wrong: 'dBias is not summed over the keys.',
  seen: 'B-11',
  shownBy: 'bias/2x4x5x1',
  seams: () => ({
    add: (x, name, old, term, at) =>
      name === 'd_bias' &&
      'j' in at &&
      (at.j as number) > 0 &&
      (x.inputs.bias?.shape.at(-1) ?? 1) === 1
        ? old
        : HONEST.add(x, name, old, term, at),
  }),
};
