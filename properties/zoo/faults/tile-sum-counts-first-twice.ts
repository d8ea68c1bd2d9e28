/**
 * Fault: the first key of each shard counts twice in the denominator.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'tile-sum-counts-first-twice',
  wrong: 'The first key of each shard counts twice in the denominator.',
  seen: 'invented',
  shownBy: 'exact/one-hot',
  seams: () => ({
    addKey: (x, state, at, e) => {
      if (state.l === 0) state.l = e;
      HONEST.addKey(x, state, at, e);
    },
  }),
};
