/**
 * Fault: weights of a merge are exponentials below the maximum, not divided by their sum.
 * @module
 */

import { exp } from '../../../reference/numbers/float64.ts';
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'merge-not-normalised',
  wrong: 'Weights of a merge are exponentials below the maximum, not divided by their sum.',
  seen: 'invented',
  shownBy: 'merge/equal-parts',
  seams: () => ({
    merge: (x, a, b, row, step) => {
      const m = Math.max(a.lse, b.lse);
      if (m === Number.NEGATIVE_INFINITY) return a;
      const [wA, wB] = [exp(a.lse - m), exp(b.lse - m)];
      const { lse } = HONEST.merge(x, a, b, row, step);
      return { lse, o: a.o.map((old, c) => x.round.partial(wA * old + wB * read(b.o, c))) };
    },
  }),
};
