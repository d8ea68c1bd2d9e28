/**
 * Fault: the gradient of W_V is that of rank 0’s keys: no reduction over ranks.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'weights-gradient-local',
  wrong: 'The gradient of W_V is that of rank 0’s keys: no reduction over ranks.',
  seen: 'R-17',
  shownBy: 'model/openflamingo-recompute',
  seams: () => ({
    add: (x, name, old, term, at) =>
      name === 'd_w_v' && at.i >= (x.keys[0]?.stop ?? 0) ? old : HONEST.add(x, name, old, term, at),
  }),
};
