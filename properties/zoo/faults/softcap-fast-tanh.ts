/**
 * Fault: tanh by a rational approximation, good to 2·10⁻².
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'softcap-fast-tanh',
  wrong: 'tanh by a rational approximation, good to 2·10⁻².',
  seen: 'invented',
  shownBy: 'pair/softcap-and-media',
  seams: () => ({
    capped: (x, raw) => {
      const { softcap: c } = x.p;
      if (c === 0) return { s: raw, t: null };
      const y = raw / c;
      const t = x.round.score(Math.max(-1, Math.min(1, (y * (27 + y * y)) / (27 + 9 * y * y))));
      return { s: x.round.score(c * t), t };
    },
  }),
};
