/**
 * Fault: dQ is zero.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'gradients-zero',
  wrong: 'dQ is zero.',
  seen: 'invented',
  shownBy: 'pair/causal-bottom-right-and-media',
  seams: () => ({ finishBackward: (_x, { d_q }) => d_q?.fill(0) }),
};
