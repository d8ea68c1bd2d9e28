/**
 * Fault: A broadcast bias is indexed as if it had its full shape.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';

export const fault: Fault = {
  name: 'bias-full-index',
  wrong: 'A broadcast bias is indexed as if it had its full shape.',
  seen: 'F-10',
  shownBy: 'bias/4x1x11',
  seams: () => ({
    bias: (x, { b, h, i, j }) => {
      const { bias } = x.inputs;
      if (bias === undefined) return 0;
      const offset = ((b * x.p.heads + h) * x.p.seq_q + i) * x.p.seq_kv + j;
      return x.round.score(read(bias.data, offset % bias.data.length));
    },
  }),
};
