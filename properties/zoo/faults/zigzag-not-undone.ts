/**
 * Fault: load balancing reverses the order of rows, and the output is not put back.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { forEachRow } from '../host/forward.ts';
import { rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'zigzag-not-undone',
  wrong: 'Load balancing reverses the order of rows, and the output is not put back.',
  seen: 'R-18',
  shownBy: 'probe/some-rows-empty',
  seams: () => ({
    finishForward: (x, forward) => {
      if (x.p.partition.ranks < 2) return forward;
      const out = forward.out.slice();
      forEachRow(x, 'forward', (row) => {
        const [to, from] = [rowIndex(x, row), rowIndex(x, { ...row, i: x.p.seq_q - 1 - row.i })];
        for (let c = 0; c < x.p.head_dim_v; c++) {
          out[to * x.p.head_dim_v + c] = read(forward.out, from * x.p.head_dim_v + c);
        }
      });
      return { ...forward, out };
    },
  }),
};
