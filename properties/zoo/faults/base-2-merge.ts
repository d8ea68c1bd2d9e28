/**
 * Fault: the merge takes 2^(LSE) of natural LSEs.
 * @module
 */

import { exp, log } from '../../../reference/numbers/float64.ts';
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';

export const fault: Fault = {
  name: 'base-2-merge',
  wrong: 'The merge takes 2^(LSE) of natural LSEs.',
  seen: 'R-7',
  shownBy: 'probe/causal-top-left-more-queries-gradients',
  seams: () => ({
    merge: (x, a, b) => {
      const m = Math.max(a.lse, b.lse);
      if (m === Number.NEGATIVE_INFINITY) return a;
      const [eA, eB] = [exp((a.lse - m) * Math.LN2), exp((b.lse - m) * Math.LN2)];
      const o = a.o.map((value, c) =>
        x.round.partial((eA * value + eB * read(b.o, c)) / (eA + eB)),
      );
      return { lse: x.round.lse(m + log(eA + eB)), o };
    },
  }),
};
