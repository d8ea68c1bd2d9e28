/**
 * Fault: A row without keys gets the mean of all values.
 * @module
 */
import type { Fault } from '../fault.ts';
import { forEachRow } from '../host/forward.ts';
import { HONEST, rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'empty-row-mean',
  wrong: 'A row without keys gets the mean of all values.',
  seen: 'F-7',
  shownBy: 'feature/media',
  seams: () => ({
    finishForward: (x, forward) => {
      forEachRow(x, 'forward', (row) => {
        if (HONEST.savedLse(x, forward.lse, row) !== Number.NEGATIVE_INFINITY || x.p.seq_kv === 0)
          return;
        for (let c = 0; c < x.p.head_dim_v; c++) {
          let sum = 0;
          for (let j = 0; j < x.p.seq_kv; j++)
            sum += HONEST.value(x, { ...row, j, source: 0, pass: 'forward' }, c);
          forward.out[rowIndex(x, row) * x.p.head_dim_v + c] = sum / x.p.seq_kv;
        }
      });
      return forward;
    },
  }),
};
