/**
 * Fault: dK of a sequence of length zero is never written.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';

export const fault: Fault = {
  name: 'length-zero-gradient-garbage',
  wrong: 'dK of a sequence of length zero is never written.',
  seen: 'B-10',
  shownBy: 'probe/lengths-with-zero',
  unwritten: ['d_k'],
  seams: () => ({
    finishBackward: (x, { d_k }) => {
      const lengths = x.inputs.kv_lengths;
      if (d_k === undefined || lengths === undefined) return;
      const size = d_k.length / x.p.batch;
      for (let b = 0; b < x.p.batch; b++)
        if (read(lengths.data, b) === 0) d_k.fill(7, b * size, (b + 1) * size);
    },
  }),
};
