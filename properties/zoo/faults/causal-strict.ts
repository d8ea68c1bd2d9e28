/**
 * Fault: A row does not see its own position.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'causal-strict',
  wrong: 'A row does not see its own position.',
  seen: 'invented',
  shownBy: 'pair/mask-and-causal-top-left',
  seams: () => ({
    visible: (x, at) =>
      HONEST.visible(x, at) && (x.p.causal !== 'top-left' || at.j < at.i || at.j === 0),
  }),
};
