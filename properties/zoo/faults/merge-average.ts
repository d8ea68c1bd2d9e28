/**
 * Fault: partial outputs are averaged, whatever their weights.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'merge-average',
  wrong: 'Partial outputs are averaged, whatever their weights.',
  seen: 'invented',
  shownBy: 'ranks/4-even-gradients',
  seams: () => ({
    merge: (x, a, b, row, step) => {
      if (a.lse === Number.NEGATIVE_INFINITY || b.lse === Number.NEGATIVE_INFINITY)
        return HONEST.merge(x, a, b, row, step);
      const { lse } = HONEST.merge(x, a, b, row, step);
      return { lse, o: a.o.map((value, c) => x.round.partial((value + read(b.o, c)) / 2)) };
    },
  }),
};
