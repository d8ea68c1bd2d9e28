/**
 * Fault: dS leaves out P.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'dscore-without-probability',
  wrong: 'dS leaves out P.',
  seen: 'invented',
  shownBy: 'probe/shard-1-dominates',
  seams: () => ({ dScore: (x, _at, _p, g, delta) => x.round.score(g + delta) }),
};
