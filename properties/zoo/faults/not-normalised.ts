/**
 * Fault: O is not divided by the sum.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'not-normalised',
  wrong: 'O is not divided by the sum.',
  seen: 'invented',
  shownBy: 'probe/one-signed-values',
  seams: () => ({
    shard: (x, state, row) => ({
      lse: HONEST.shard(x, { ...state, o: state.o.slice() }, row).lse,
      o: state.o,
    }),
  }),
};
