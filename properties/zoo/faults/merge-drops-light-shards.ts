/**
 * Fault: A shard whose LSE is below the running one by 8 is taken for empty.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'merge-drops-light-shards',
  wrong: 'A shard whose LSE is below the running one by 8 is taken for empty.',
  seen: 'invented',
  shownBy: 'probe/shards-weigh-little',
  seams: () => ({
    merge: (x, a, b, row, step) => (b.lse < a.lse - 8 ? a : HONEST.merge(x, a, b, row, step)),
  }),
};
