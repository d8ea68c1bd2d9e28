/**
 * Fault: Q is read as [batch, seq, heads, dim].
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';

export const fault: Fault = {
  name: 'layout-heads-and-rows',
  wrong: 'Q is read as [batch, seq, heads, dim].',
  seen: 'F-9',
  shownBy: 'pair/window-and-recompute',
  seams: () => ({
    query: (x, { b, h, i }, c) =>
      read(x.q, ((b * x.p.seq_q + i) * x.p.heads + h) * x.p.head_dim + c),
  }),
};
