/**
 * Fault: the backward pass reads the LSE as [batch, seq, heads].
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';

export const fault: Fault = {
  name: 'lse-strides-transposed',
  wrong: 'The backward pass reads the LSE as [batch, seq, heads].',
  seen: 'B-8',
  shownBy: 'pair/causal-top-left-and-recompute',
  seams: () => ({
    savedLse: (x, lse, { b, h, i }) => read(lse, (b * x.p.seq_q + i) * x.p.heads + h),
  }),
};
