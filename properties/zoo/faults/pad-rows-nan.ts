/**
 * Fault: padded rows of the LSE hold −∞: 0·NaN reaches dK.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'pad-rows-nan',
  wrong: 'Padded rows of the LSE hold −∞: 0·NaN reaches dK.',
  seen: 'LVX-5, B-3',
  shownBy: 'shape/queries-63-one-rank',
  seams: () => ({
    finishBackward: (x, { d_k }) => {
      if (x.p.seq_q % 4 !== 0) d_k?.fill(Number.NaN);
    },
  }),
};
