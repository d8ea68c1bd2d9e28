/**
 * Fault: the merge takes exp(LSE) without subtracting a maximum: float64 overflows above 709.
 * @module
 */

import { exp, log } from '../../../reference/numbers/float64.ts';
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';

export const fault: Fault = {
  name: 'unshifted-merge-f64',
  wrong: 'The merge takes exp(LSE) without subtracting a maximum: float64 overflows above 709.',
  seen: 'R-6',
  profile: 'f64',
  shownBy: 'probe/shift-minus-1000',
  seams: () => ({
    merge: (x, a, b) => {
      if (a.lse === Number.NEGATIVE_INFINITY) return b;
      if (b.lse === Number.NEGATIVE_INFINITY) return a;
      const [eA, eB] = [exp(a.lse), exp(b.lse)];
      const l = eA + eB;
      const o = a.o.map((value, c) => x.round.partial((eA / l) * value + (eB / l) * read(b.o, c)));
      return { lse: log(l), o };
    },
  }),
};
