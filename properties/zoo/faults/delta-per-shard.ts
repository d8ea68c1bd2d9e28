/**
 * Fault: D is computed from one shard’s output, not the merged one.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'delta-per-shard',
  wrong: 'D is computed from one shard’s output, not the merged one.',
  seen: 'R-4',
  shownBy: 'exact/one-hot-ranks',
  seams: () => {
    const partial = new Map<string, Float64Array>();
    return {
      merge: (x, a, b, row, step) => {
        if (step === 0) partial.set(`${row.b},${row.h},${row.i}`, b.o.slice());
        return HONEST.merge(x, a, b, row, step);
      },
      savedOut: (_x, _out, row, c) =>
        read(partial.get(`${row.b},${row.h},${row.i}`) ?? new Float64Array(), c),
    };
  },
};
