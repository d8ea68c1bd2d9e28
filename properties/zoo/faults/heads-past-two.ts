/**
 * Fault: heads from the third on read the second head’s queries.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'heads-past-two',
  wrong: 'Heads from the third on read the second head’s queries.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-recompute',
  seams: () => ({ query: (x, at, c) => HONEST.query(x, { ...at, h: Math.min(at.h, 1) }, c) }),
};
