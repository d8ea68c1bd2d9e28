/**
 * Fault: D is that of the next row.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'delta-of-neighbour',
  wrong: 'D is that of the next row.',
  seen: 'invented',
  shownBy: 'exact/one-hot-gradients',
  seams: () => ({
    delta: (x, row, forward) =>
      HONEST.delta(x, { ...row, i: Math.min(row.i + 1, x.p.seq_q - 1) }, forward),
  }),
};
