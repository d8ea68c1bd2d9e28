/**
 * Fault: the causal mask lets through one key too many.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'causal-one-more',
  wrong: 'The causal mask lets through one key too many.',
  seen: 'invented',
  shownBy: 'feature/causal-top-left-gradients',
  seams: () => ({
    visible: (x, at) =>
      x.p.causal === 'none'
        ? HONEST.visible(x, at)
        : HONEST.visible(x, at) ||
          (HONEST.visible(x, { ...at, j: Math.max(0, at.j - 1) }) && at.j > 0),
  }),
};
