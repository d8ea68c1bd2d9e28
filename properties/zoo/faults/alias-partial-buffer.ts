/**
 * Fault: A shard’s output is kept by reference and overwritten by the next shard.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'alias-partial-buffer',
  wrong: 'A shard’s output is kept by reference and overwritten by the next shard.',
  seen: 'R-13',
  shownBy: 'exact/one-hot-ranks',
  seams: () => {
    let o = new Float64Array(0);
    return {
      running: (x) => {
        if (o.length !== x.p.head_dim_v) o = new Float64Array(x.p.head_dim_v);
        return { m: Number.NEGATIVE_INFINITY, l: 0, o: o.fill(0) };
      },
      shard: (x, state, row) => {
        const partial = HONEST.shard(x, state, row);
        o.set(partial.o);
        return { lse: partial.lse, o };
      },
    };
  },
};
