/**
 * Fault: the features’ gradient leaves out the part through K.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'recompute-features-from-values-only',
  wrong: 'The features’ gradient leaves out the part through K.',
  seen: 'invented',
  shownBy: 'probe/recompute-gradients',
  seams: () => {
    let seen = 0;
    return {
      begin: () => {
        seen = 0;
      },
      buffer: (x, name, size) => {
        if (name === 'd_w_v') seen++;
        return HONEST.buffer(x, name, size);
      },
      add: (x, name, old, term, at) =>
        name === 'd_y' && seen === 0 ? old : HONEST.add(x, name, old, term, at),
    };
  },
};
