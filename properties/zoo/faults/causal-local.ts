/**
 * Fault: the causal mask compares positions within a pair of blocks.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'causal-local',
  wrong: 'The causal mask compares positions within a pair of blocks.',
  seen: 'LVX-4',
  shownBy: 'probe/causal-top-left-ranks-gradients',
  seams: () => ({
    visible: (x, at) =>
      HONEST.visible(x, at) &&
      (x.p.causal !== 'top-left' ||
        at.j - (x.keys[at.source]?.start ?? 0) <= at.i - (x.rows[at.home]?.start ?? 0)),
  }),
};
