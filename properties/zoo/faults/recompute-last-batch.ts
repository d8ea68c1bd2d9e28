/**
 * Fault: the weights’ gradient is that of the last batch entry.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'recompute-last-batch',
  wrong: 'The weights’ gradient is that of the last batch entry.',
  seen: 'R-17',
  shownBy: 'pair/causal-top-left-and-recompute',
  seams: () => ({
    add: (x, name, old, term, at) =>
      name.startsWith('d_w') && at.b < x.p.batch - 1 ? old : HONEST.add(x, name, old, term, at),
  }),
};
