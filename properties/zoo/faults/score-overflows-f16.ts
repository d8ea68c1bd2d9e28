/**
 * Fault: q·k overflows f16 because the scale comes after it.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'score-overflows-f16',
  wrong: 'q·k overflows f16 because the scale comes after it.',
  seen: 'F-11',
  profile: 'f16',
  shownBy: 'probe/large-scores-small-scale',
  seams: () => ({
    dot: (x, at) => {
      const sum = HONEST.dot(x, at);
      return Math.abs(sum) > 65504 ? sum * Number.POSITIVE_INFINITY : sum;
    },
  }),
};
