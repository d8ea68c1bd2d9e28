/**
 * Fault: dK is averaged over ranks in place of summed.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'dk-averaged-over-ranks',
  wrong: 'dK is averaged over ranks in place of summed.',
  seen: 'R-17',
  shownBy: 'pair/causal-top-left-and-uneven',
  seams: () => ({
    finishBackward: (x, { d_k }) =>
      d_k?.forEach((value, n) => {
        d_k[n] = value / x.p.partition.ranks;
      }),
  }),
};
