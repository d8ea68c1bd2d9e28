/**
 * Fault: dQ is that of the rank’s own keys.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dq-own-shard-only',
  wrong: 'dQ is that of the rank’s own keys.',
  seen: 'invented',
  shownBy: 'probe/causal-bottom-right-more-queries-gradients',
  seams: () => ({
    add: (x, name, old, term, at) =>
      name === 'd_q' && 'source' in at && at.source !== at.home
        ? old
        : HONEST.add(x, name, old, term, at),
  }),
};
