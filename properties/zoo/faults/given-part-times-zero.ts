/**
 * Fault: the output of a part without keys is multiplied by its weight 0, whatever it holds.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { HONEST, rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'given-part-times-zero',
  wrong: 'The output of a part without keys is multiplied by its weight 0, whatever it holds.',
  seen: 'invented',
  shownBy: 'merge/poison-in-empty-parts',
  seams: () => ({
    part: (x, p, row) => {
      const { lse, o } = HONEST.part(x, p, row);
      const at = (p * x.p.batch * x.p.heads * x.p.seq_q + rowIndex(x, row)) * o.length;
      const given = x.inputs.outs?.data ?? o;
      return { lse, o: o.map((_, c) => read(given, at + c)) };
    },
    merge: (x, a, b, row, step) => {
      const { lse, o } = HONEST.merge(x, a, b, row, step);
      const lost = (from: typeof a, c: number): number =>
        from.lse === Number.NEGATIVE_INFINITY ? 0 * read(from.o, c) : 0;
      return { lse, o: o.map((value, c) => value + lost(a, c) + lost(b, c)) };
    },
  }),
};
