/**
 * Fault: after an odd number of hops the result lies in the other buffer: rows are rotated by one rank.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { forEachRow } from '../host/forward.ts';
import { rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'odd-ring-buffer',
  wrong:
    'After an odd number of hops the result lies in the other buffer: rows are rotated by one rank.',
  seen: 'LVX-3',
  shownBy: 'probe/media-before-first-image',
  seams: () => ({
    finishForward: (x, forward) => {
      const ranks = x.p.partition.ranks;
      if (ranks % 2 === 0 || ranks === 1) return forward;
      const turned = { out: forward.out.slice(), lse: forward.lse.slice() };
      forEachRow(x, 'forward', (row) => {
        const [own, other] = [x.rows[row.home], x.rows[(row.home + 1) % ranks]];
        const i = (other?.start ?? 0) + row.i - (own?.start ?? 0);
        if (i >= (other?.stop ?? 0)) return;
        const [to, from] = [rowIndex(x, row), rowIndex(x, { ...row, i })];
        turned.lse[to] = read(forward.lse, from);
        for (let c = 0; c < x.p.head_dim_v; c++) {
          turned.out[to * x.p.head_dim_v + c] = read(forward.out, from * x.p.head_dim_v + c);
        }
      });
      return turned;
    },
  }),
};
