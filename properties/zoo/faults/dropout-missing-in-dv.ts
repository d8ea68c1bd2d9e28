/**
 * Fault: dV is summed with the undropped P.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'dropout-missing-in-dv',
  wrong: 'dV is summed with the undropped P.',
  seen: 'B-6',
  shownBy: 'exact/one-hot-dropout',
  seams: () => ({ valueWeight: (x, _at, p) => x.round.probability(p) }),
};
