/**
 * Fault: dropout is ignored.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'dropout-ignored',
  wrong: 'Dropout is ignored.',
  seen: 'invented',
  shownBy: 'exact/one-hot-dropout',
  seams: () => ({ kappa: () => 1 }),
};
