/**
 * Fault: dQ carries the scale twice.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'scale-twice-backward',
  wrong: 'dQ carries the scale twice.',
  seen: 'invented',
  shownBy: 'pair/causal-bottom-right-and-media',
  seams: () => ({
    finishBackward: (x, { d_q }) =>
      d_q?.forEach((value, n) => {
        d_q[n] = value * x.p.scale;
      }),
  }),
};
