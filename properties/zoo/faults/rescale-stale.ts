/**
 * Fault: the rescaling factor of the tile before is used once more.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'rescale-stale',
  wrong: 'The rescaling factor of the tile before is used once more.',
  seen: 'invented',
  shownBy: 'basic/square',
  seams: () => {
    let last = 1;
    return {
      rescale: (x, from, to, row) => {
        const alpha = HONEST.rescale(x, from, to, row);
        const used = from === Number.NEGATIVE_INFINITY ? alpha : last;
        last = from === Number.NEGATIVE_INFINITY ? 1 : alpha;
        return used;
      },
    };
  },
};
