/**
 * Fault: weights of a merge below 10⁻⁴ are flushed to zero.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'merge-weight-flushed',
  wrong: 'Weights of a merge below 10⁻⁴ are flushed to zero.',
  seen: 'invented',
  shownBy: 'probe/shards-weigh-little',
  seams: () => ({
    merge: (x, a, b, row, step) =>
      Math.abs(a.lse - b.lse) > 9.3 ? (a.lse > b.lse ? a : b) : HONEST.merge(x, a, b, row, step),
  }),
};
