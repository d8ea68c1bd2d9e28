/**
 * Fault: the maximum is that of the last tile: with the rescaling right, earlier exponentials overflow.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'maximum-of-last-tile',
  wrong:
    'The maximum is that of the last tile: with the rescaling right, earlier exponentials overflow.',
  seen: 'invented',
  shownBy: 'probe/score-falls-one-rank',
  seams: () => ({
    maximum: (x, _m, scores, row) => HONEST.maximum(x, Number.NEGATIVE_INFINITY, scores, row),
  }),
};
