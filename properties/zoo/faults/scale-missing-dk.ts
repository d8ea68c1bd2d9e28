/**
 * Fault: the factor scale is missing from dK.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'scale-missing-dk',
  wrong: 'The factor scale is missing from dK.',
  seen: 'invented',
  shownBy: 'probe/large-scores-small-scale',
  seams: () => ({
    finishBackward: (x, { d_k }) =>
      d_k?.forEach((value, n) => {
        if (x.p.scale !== 0) d_k[n] = value / x.p.scale;
      }),
  }),
};
