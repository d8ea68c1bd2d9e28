/**
 * Fault: tanh is replaced by clipping to ±1.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'softcap-clipped',
  wrong: 'tanh is replaced by clipping to ±1.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-softcap',
  seams: () => ({
    capped: (x, raw) => {
      const { softcap: c } = x.p;
      if (c === 0) return { s: raw, t: null };
      const t = Math.max(-1, Math.min(1, raw / c));
      return { s: c * t, t };
    },
  }),
};
