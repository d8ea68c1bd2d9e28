/**
 * Fault: the weights of the two sides of a merge are swapped.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'merge-weights-swapped',
  wrong: 'The weights of the two sides of a merge are swapped.',
  seen: 'invented',
  shownBy: 'ranks/4-even-gradients',
  seams: () => ({
    merge: (x, a, b, row, step) => {
      if (a.lse === Number.NEGATIVE_INFINITY || b.lse === Number.NEGATIVE_INFINITY)
        return HONEST.merge(x, a, b, row, step);
      const { lse } = HONEST.merge(x, a, b, row, step);
      return {
        lse,
        o: HONEST.merge(x, { lse: a.lse, o: b.o }, { lse: b.lse, o: a.o }, row, step).o,
      };
    },
  }),
};
