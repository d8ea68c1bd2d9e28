/**
 * Fault: weights below 2⁻¹⁴ are flushed to zero.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'exp-flushed',
  wrong: 'Weights below 2⁻¹⁴ are flushed to zero.',
  seen: 'invented',
  shownBy: 'probe/keys-weigh-little',
  seams: () => ({
    exponential: (x, s, m) => {
      const e = HONEST.exponential(x, s, m);
      return e < 2 ** -14 ? 0 : e;
    },
  }),
};
