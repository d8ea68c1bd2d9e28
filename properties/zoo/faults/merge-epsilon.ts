/**
 * Fault: the merge divides by the sum of weights plus 10⁻⁶.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'merge-epsilon',
  wrong: 'The merge divides by the sum of weights plus 10⁻⁶.',
  seen: 'invented',
  shownBy: 'exact/one-hot',
  seams: () => ({
    merge: (x, a, b, row, step) => {
      const { lse, o } = HONEST.merge(x, a, b, row, step);
      return { lse, o: o.map((value) => x.round.partial(value / (1 + 1e-6))) };
    },
  }),
};
