/**
 * Fault: the maximum of |s| is subtracted.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'maximum-absolute',
  wrong: 'The maximum of |s| is subtracted.',
  seen: 'invented',
  shownBy: 'probe/keys-far-below-zero',
  seams: () => ({
    maximum: (_x, m, scores) => scores.reduce((max, s) => Math.max(max, Math.abs(s)), m),
  }),
};
