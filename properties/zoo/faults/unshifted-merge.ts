/**
 * Fault: the merge takes exp(LSE) without subtracting a maximum.
 * @module
 */

import { exp, log } from '../../../reference/numbers/float64.ts';
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';

export const fault: Fault = {
  name: 'unshifted-merge',
  wrong: 'The merge takes exp(LSE) without subtracting a maximum.',
  seen: 'LVX-2',
  shownBy: 'feature/media',
  seams: () => ({
    merge: (x, a, b) => {
      const [eA, eB] = [x.round.exponential(exp(a.lse)), x.round.exponential(exp(b.lse))];
      const l = x.round.sum(eA + eB);
      const o = a.o.map((value, c) => x.round.partial((eA / l) * value + (eB / l) * read(b.o, c)));
      return { lse: x.round.lse(log(l)), o };
    },
  }),
};
