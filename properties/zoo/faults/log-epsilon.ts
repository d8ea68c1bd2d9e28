/**
 * Fault: LSE = m + log(l + 10⁻⁵).
 * @module
 */

import { log } from '../../../reference/numbers/float64.ts';
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'log-epsilon',
  wrong: 'LSE = m + log(l + 10⁻⁵).',
  seen: 'invented',
  shownBy: 'exact/one-hot',
  seams: () => ({
    shard: (x, state, row) => {
      const { lse, o } = HONEST.shard(x, state, row);
      return { lse: state.l === 0 ? lse : x.round.lse(state.m + log(state.l + 1e-5)), o };
    },
  }),
};
