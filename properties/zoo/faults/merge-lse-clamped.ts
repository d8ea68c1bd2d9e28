/**
 * Fault: the LSE is clamped to ±88 so that exp does not overflow.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'merge-lse-clamped',
  wrong: 'The LSE is clamped to ±88 so that exp does not overflow.',
  seen: 'LVX-2',
  shownBy: 'probe/shift-plus-300-gradients',
  seams: () => ({
    merge: (x, a, b, row, step) => {
      const clamp = (lse: number) =>
        lse === Number.NEGATIVE_INFINITY ? lse : Math.max(-88, Math.min(88, lse));
      return HONEST.merge(x, { ...a, lse: clamp(a.lse) }, { ...b, lse: clamp(b.lse) }, row, step);
    },
  }),
};
