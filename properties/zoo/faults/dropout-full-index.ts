/**
 * Fault: A broadcast dropout mask is indexed as if it had its full shape.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';

export const fault: Fault = {
  name: 'dropout-full-index',
  wrong: 'A broadcast dropout mask is indexed as if it had its full shape.',
  seen: 'F-10',
  shownBy: 'dropout/2x1x1x11',
  seams: () => ({
    kappa: (x, { b, h, i, j }) => {
      const keep = x.inputs.dropout_keep;
      if (keep === undefined) return 1;
      const offset = ((b * x.p.heads + h) * x.p.seq_q + i) * x.p.seq_kv + j;
      return read(keep.data, offset % keep.data.length) === 0
        ? 0
        : x.round.score(1 / (1 - x.p.dropout_rate));
    },
  }),
};
