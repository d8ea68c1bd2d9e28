/**
 * Fault: LSE_a + log(1 + e^(LSE_b − LSE_a)) overflows when the later shard dominates.
 * @module
 */

import { exp, log } from '../../../reference/numbers/float64.ts';
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';

export const fault: Fault = {
  name: 'one-sided-merge',
  wrong: 'LSE_a + log(1 + e^(LSE_b − LSE_a)) overflows when the later shard dominates.',
  seen: 'R-1',
  shownBy: 'probe/shard-0-dominates',
  seams: () => ({
    merge: (x, a, b) => {
      if (a.lse === Number.NEGATIVE_INFINITY) return b;
      const e = x.round.exponential(exp(b.lse - a.lse));
      const lse = x.round.lse(a.lse + log(x.round.sum(1 + e)));
      const [wA, wB] = [exp(a.lse - lse), exp(b.lse - lse)];
      return { lse, o: a.o.map((value, c) => x.round.partial(wA * value + wB * read(b.o, c))) };
    },
  }),
};
