/**
 * Fault: LSEs of given parts are read as [rows, heads].
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'given-lse-transposed',
  wrong: 'LSEs of given parts are read as [rows, heads].',
  seen: 'invented',
  shownBy: 'merge/row-tags',
  seams: () => ({
    part: (x, p, row) => {
      const { batch, heads, seq_q } = x.p;
      const { o } = HONEST.part(x, p, row);
      const at = ((p * batch + row.b) * seq_q + row.i) * heads + row.h;
      return { lse: x.round.lse(read(x.inputs.lses?.data ?? o, at)), o };
    },
  }),
};
