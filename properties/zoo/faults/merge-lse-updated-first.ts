/**
 * Fault: the running LSE is updated before it is used to weigh the old output.
 * @module
 */

import { exp } from '../../../reference/numbers/float64.ts';
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'merge-lse-updated-first',
  wrong: 'The running LSE is updated before it is used to weigh the old output.',
  seen: 'invented',
  shownBy: 'ranks/4-even-gradients',
  seams: () => ({
    merge: (x, a, b, row, step) => {
      const { lse, o } = HONEST.merge(x, a, b, row, step);
      if (a.lse === Number.NEGATIVE_INFINITY || b.lse === Number.NEGATIVE_INFINITY)
        return { lse, o };
      const wB = x.round.exponential(exp(b.lse - lse));
      return { lse, o: a.o.map((value, c) => x.round.partial(value + wB * read(b.o, c))) };
    },
  }),
};
