/**
 * Fault: the last row of each rank is left out of the backward pass.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'backward-last-row-missing',
  wrong: 'The last row of each rank is left out of the backward pass.',
  seen: 'invented',
  shownBy: 'exact/one-hot-gradients',
  seams: () => ({
    rowRange: (x, home, pass) => {
      const { start, stop } = HONEST.rowRange(x, home, pass);
      return pass === 'backward' && stop - start > 1 ? { start, stop: stop - 1 } : { start, stop };
    },
  }),
};
