/**
 * Fault: the LSE is log l, the maximum forgotten.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'lse-without-maximum',
  wrong: 'The LSE is log l, the maximum forgotten.',
  seen: 'invented',
  shownBy: 'probe/keys-far-above-zero',
  seams: () => ({
    shard: (x, state, row) => {
      const { lse, o } = HONEST.shard(x, state, row);
      return { lse: lse - (state.l === 0 ? 0 : state.m), o };
    },
  }),
};
