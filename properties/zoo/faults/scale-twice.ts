/**
 * Fault: Q arrives scaled and is scaled again.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'scale-twice',
  wrong: 'Q arrives scaled and is scaled again.',
  seen: 'invented',
  shownBy: 'pair/window-and-recompute',
  seams: () => ({ scaled: (x, at, dot) => x.round.score(x.seams.scale(x, at.pass) ** 2 * dot) }),
};
