/**
 * Fault: dQ is overwritten by each shard.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dq-last-shard-only',
  wrong: 'dQ is overwritten by each shard.',
  seen: 'invented',
  shownBy: 'pair/causal-top-left-and-uneven',
  seams: () => ({
    add: (x, name, old, term, at) =>
      HONEST.add(
        x,
        name,
        name === 'd_q' &&
          'j' in at &&
          'source' in at &&
          at.j === x.keys[at.source as number]?.start &&
          x.p.partition.ranks > 1 &&
          (at.source as number) !== at.home
          ? 0
          : old,
        term,
        at,
      ),
  }),
};
