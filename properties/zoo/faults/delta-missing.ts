/**
 * Fault: D is left out of dS.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'delta-missing',
  wrong: 'D is left out of dS.',
  seen: 'invented',
  shownBy: 'exact/one-hot-gradients',
  seams: () => ({ delta: (x, row) => read(x.dLse, rowIndex(x, row)) }),
};
