/**
 * Fault: the merge of two empty partial results is e^(−∞ + ∞) = NaN.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'merge-two-empties-nan',
  wrong: 'The merge of two empty partial results is e^(−∞ + ∞) = NaN.',
  seen: 'R-9',
  shownBy: 'feature/media',
  seams: () => ({
    merge: (x, a, b, row, step) =>
      a.lse === b.lse && a.lse === Number.NEGATIVE_INFINITY
        ? { lse: Number.NaN, o: a.o.map(() => Number.NaN) }
        : HONEST.merge(x, a, b, row, step),
  }),
};
