/**
 * Fault: the last rank counts its own keys twice in the backward pass.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'own-shard-twice-last-rank',
  wrong: 'The rows of the last rank count twice in dK.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-uneven',
  seams: () => ({
    add: (x, name, old, term, at) =>
      HONEST.add(
        x,
        name,
        old,
        name === 'd_k' && at.home === x.p.partition.ranks - 1 && at.home > 0 ? 2 * term : term,
        at,
      ),
  }),
};
