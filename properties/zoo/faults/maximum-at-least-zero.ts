/**
 * Fault: the maximum starts at 0: rows far below zero underflow to nothing.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'maximum-at-least-zero',
  wrong: 'The maximum starts at 0: rows far below zero underflow to nothing.',
  seen: 'invented',
  shownBy: 'probe/keys-far-below-zero',
  seams: () => ({ maximum: (x, m, scores, row) => Math.max(0, HONEST.maximum(x, m, scores, row)) }),
};
