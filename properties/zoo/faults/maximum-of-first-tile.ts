/**
 * Fault: the running maximum stays that of the first tile: later exponentials overflow.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'maximum-of-first-tile',
  wrong: 'The running maximum stays that of the first tile: later exponentials overflow.',
  seen: 'invented',
  shownBy: 'probe/score-rises-one-rank',
  seams: () => ({
    maximum: (x, m, scores, row) =>
      m === Number.NEGATIVE_INFINITY ? HONEST.maximum(x, m, scores, row) : m,
  }),
};
