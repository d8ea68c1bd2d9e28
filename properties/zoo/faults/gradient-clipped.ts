/**
 * Fault: gradients are clipped to ±1.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'gradient-clipped',
  wrong: 'dQ is clipped to ±1.',
  seen: 'invented',
  shownBy: 'probe/huge-cotangent',
  seams: () => ({
    finishBackward: (_x, { d_q }) =>
      d_q?.forEach((value, n) => {
        d_q[n] = Math.max(-1, Math.min(1, value));
      }),
  }),
};
