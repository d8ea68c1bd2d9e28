/**
 * Fault: D sums half of the value components when there are more than eight.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'delta-half-of-components',
  wrong: 'D sums half of the value components when there are more than eight.',
  seen: 'invented',
  shownBy: 'shape/wide-values-gradients',
  seams: () => ({
    savedOut: (x, out, row, c) =>
      x.p.head_dim_v > 8 && c >= x.p.head_dim_v / 2 ? 0 : HONEST.savedOut(x, out, row, c),
  }),
};
