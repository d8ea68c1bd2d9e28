/**
 * Fault: dQ is multiplied by the number of ranks.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'gradient-times-ranks',
  wrong: 'dQ is multiplied by the number of ranks.',
  seen: 'R-17',
  shownBy: 'probe/only-last-shard-visible',
  seams: () => ({
    finishBackward: (x, { d_q }) =>
      d_q?.forEach((value, n) => {
        d_q[n] = value * x.p.partition.ranks;
      }),
  }),
};
