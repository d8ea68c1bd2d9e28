/**
 * Fault: the merged LSE is the larger of the two.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'merge-lse-maximum',
  wrong: 'The merged LSE is the larger of the two.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-sink',
  seams: () => ({
    merge: (x, a, b, row, step) => ({
      lse: Math.max(a.lse, b.lse),
      o: HONEST.merge(x, a, b, row, step).o,
    }),
  }),
};
