/**
 * Fault: O is divided by l + 10⁻⁶.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'normalised-by-epsilon',
  wrong: 'O is divided by l + 10⁻⁶.',
  seen: 'invented',
  shownBy: 'exact/one-hot',
  seams: () => ({
    shard: (x, state, row) => {
      const { lse, o } = HONEST.shard(x, state, row);
      return { lse, o: o.map((value) => x.round.partial((value * state.l) / (state.l + 1e-6))) };
    },
  }),
};
