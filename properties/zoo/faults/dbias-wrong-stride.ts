/**
 * Fault: dBias is written with rows and keys exchanged where it is square.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dbias-wrong-stride',
  wrong: 'dBias is written with rows and keys exchanged where it is square.',
  seen: 'B-11',
  shownBy: 'bias/square-1x1x6x6',
  seams: () => ({
    biasTarget: (x, at) => {
      const shape = x.inputs.bias?.shape ?? [];
      return shape.at(-1) === shape.at(-2)
        ? HONEST.biasTarget(x, { ...at, i: at.j, j: at.i })
        : HONEST.biasTarget(x, at);
    },
  }),
};
