/**
 * Fault: older sums are divided by the rescaling factor.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'rescale-inverted',
  wrong: 'Older sums are divided by the rescaling factor.',
  seen: 'invented',
  shownBy: 'pair/causal-bottom-right-and-media',
  seams: () => ({
    rescale: (x, from, to, row) => {
      const alpha = HONEST.rescale(x, from, to, row);
      return alpha === 0 ? 0 : 1 / alpha;
    },
  }),
};
