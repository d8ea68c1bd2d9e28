/**
 * Fault: after a rank without rows, the next rank’s rows are shifted by one.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { forEachRow } from '../host/forward.ts';
import { rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'empty-queries-rank-breaks-next',
  wrong: 'After a rank without rows, the next rank’s rows are shifted by one.',
  seen: 'invented',
  shownBy: 'pair/media-and-uneven',
  seams: () => ({
    finishForward: (x, forward) => {
      const out = forward.out.slice();
      forEachRow(x, 'forward', (row) => {
        if (row.home === 0 || x.p.partition.q[row.home - 1] !== 0) return;
        const from = rowIndex(x, { ...row, i: Math.max(row.i - 1, x.rows[row.home]?.start ?? 0) });
        for (let c = 0; c < x.p.head_dim_v; c++) {
          out[rowIndex(x, row) * x.p.head_dim_v + c] = read(forward.out, from * x.p.head_dim_v + c);
        }
      });
      return { ...forward, out };
    },
  }),
};
