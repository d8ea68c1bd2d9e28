/**
 * Fault: the backward pass takes e^(−∞ + ∞) for rows without keys: NaN reaches all of dK.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'empty-row-poisons-weights',
  wrong: 'The backward pass takes e^(−∞ + ∞) for rows without keys: NaN reaches all of dK.',
  seen: 'F-7',
  shownBy: 'feature/media-gradients',
  seams: () => ({
    hidden: (_x, { pass }) => (pass === 'backward' ? { s: Number.NEGATIVE_INFINITY, t: 0 } : null),
    savedLse: (x, lse, row) => {
      const value = HONEST.savedLse(x, lse, row);
      return value === Number.NEGATIVE_INFINITY ? Number.NaN : value;
    },
  }),
};
