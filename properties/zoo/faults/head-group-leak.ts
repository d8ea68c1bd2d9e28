/**
 * Fault: the gradient buffer is not zeroed between groups of heads: head g holds head g − 1 as well.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';

export const fault: Fault = {
  name: 'head-group-leak',
  wrong:
    'The gradient buffer is not zeroed between groups of heads: head g holds head g − 1 as well.',
  seen: 'R-14',
  shownBy: 'pair/media-and-recompute',
  seams: () => ({
    finishBackward: (x, { d_k }) => {
      const size = x.p.seq_kv * x.p.head_dim;
      if (d_k === undefined) return;
      for (let n = d_k.length - 1; n >= 0; n--) {
        if (Math.floor(n / size) % x.p.kv_heads > 0) d_k[n] = read(d_k, n) + read(d_k, n - size);
      }
    },
  }),
};
