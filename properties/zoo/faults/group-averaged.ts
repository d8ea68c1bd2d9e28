/**
 * Fault: dK is averaged over the heads of a group.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'group-averaged',
  wrong: 'dK is averaged over the heads of a group.',
  seen: 'invented',
  shownBy: 'pair/gqa-and-window',
  seams: () => ({
    finishBackward: (x, { d_k }) =>
      d_k?.forEach((value, n) => {
        d_k[n] = (value * x.p.kv_heads) / x.p.heads;
      }),
  }),
};
