/**
 * Fault: what has been merged so far is not rescaled when a part is merged into it.
 * @module
 */

import { exp } from '../../../reference/numbers/float64.ts';
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'first-part-not-rescaled',
  wrong: 'What has been merged so far is not rescaled when a part is merged into it.',
  seen: 'invented',
  shownBy: 'merge/two-parts',
  seams: () => ({
    merge: (x, a, b, row, step) => {
      const { lse } = HONEST.merge(x, a, b, row, step);
      if (b.lse === Number.NEGATIVE_INFINITY) return a;
      const weight = x.round.exponential(exp(b.lse - lse));
      return { lse, o: a.o.map((old, c) => x.round.partial(old + weight * read(b.o, c))) };
    },
  }),
};
