/**
 * Fault: kept and dropped are exchanged.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dropout-inverted',
  wrong: 'Kept and dropped are exchanged.',
  seen: 'invented',
  shownBy: 'exact/one-hot-dropout',
  seams: () => ({
    kappa: (x, at) =>
      x.p.dropout_rate === 0 ? 1 : HONEST.kappa(x, at) === 0 ? 1 / (1 - x.p.dropout_rate) : 0,
  }),
};
