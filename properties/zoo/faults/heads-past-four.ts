/**
 * Fault: heads from the fifth on get the output of the fourth.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { forEachRow } from '../host/forward.ts';
import { rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'heads-past-four',
  wrong: 'Heads from the fifth on get the output of the fourth.',
  seen: 'invented',
  shownBy: 'pair/gqa-and-causal-top-left',
  seams: () => ({
    finishForward: (x, forward) => {
      const out = forward.out.slice();
      forEachRow(x, 'forward', (row) => {
        const from = rowIndex(x, { ...row, h: Math.min(row.h, 3) });
        for (let c = 0; c < x.p.head_dim_v; c++) {
          out[rowIndex(x, row) * x.p.head_dim_v + c] = read(forward.out, from * x.p.head_dim_v + c);
        }
      });
      return { ...forward, out };
    },
  }),
};
