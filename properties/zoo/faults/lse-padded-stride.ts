/**
 * Fault: the LSE is padded to 16 rows a head and read as if it were dense.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';

export const fault: Fault = {
  name: 'lse-padded-stride',
  wrong: 'The LSE is padded to 16 rows a head and read as if it were dense.',
  seen: 'F-20',
  shownBy: 'probe/keys-far-above-zero',
  seams: () => ({
    savedLse: (x, lse, row) => {
      const padded = Math.ceil(x.p.seq_q / 16) * 16;
      const at = (row.b * x.p.heads + row.h) * padded + row.i;
      return at < lse.length ? read(lse, at) : 0;
    },
  }),
};
