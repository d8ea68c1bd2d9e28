/**
 * Fault: D is added.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST, rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'delta-sign',
  wrong: 'D is added.',
  seen: 'invented',
  shownBy: 'exact/one-hot-gradients',
  seams: () => ({
    delta: (x, row, forward) => {
      const dLse = read(x.dLse, rowIndex(x, row));
      return dLse - (HONEST.delta(x, row, forward) - dLse);
    },
  }),
};
