/**
 * Fault: A row without keys is never written: it holds the row before it.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST, rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'empty-row-garbage',
  wrong: 'A row without keys is never written: it holds the row before it.',
  seen: 'B-10',
  shownBy: 'probe/some-rows-empty',
  seams: () => ({
    storeRow: (x, row, partial, forward) => {
      if (partial.lse !== Number.NEGATIVE_INFINITY || row.i === 0) {
        HONEST.storeRow(x, row, partial, forward);
        return;
      }
      const at = rowIndex(x, row);
      forward.lse[at] = partial.lse;
      forward.out.copyWithin(at * x.p.head_dim_v, (at - 1) * x.p.head_dim_v, at * x.p.head_dim_v);
    },
  }),
};
