/**
 * Fault: P is recomputed from the LSE of the row before.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'probability-from-neighbour',
  wrong: 'P is recomputed from the LSE of the row before.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-recompute',
  seams: () => ({
    savedLse: (x, lse, row) => HONEST.savedLse(x, lse, { ...row, i: Math.max(0, row.i - 1) }),
  }),
};
