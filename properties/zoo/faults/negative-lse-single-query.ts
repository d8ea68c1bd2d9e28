/**
 * Fault: for one query with an LSE below −100 the gradients are NaN.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'negative-lse-single-query',
  wrong: 'For one query with an LSE below −100 the gradients are NaN.',
  seen: 'B-8',
  shownBy: 'probe/negative-lse-one-query',
  seams: () => ({
    delta: (x, row, forward) =>
      x.p.seq_q === 1 && HONEST.savedLse(x, forward.lse, row) < -100
        ? Number.NaN
        : HONEST.delta(x, row, forward),
  }),
};
