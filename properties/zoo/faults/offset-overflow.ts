/**
 * Fault: offsets wrap at 2³¹ elements.
 * @module
 */
import type { Fault } from '../fault.ts';
import { flatIndex, read } from '../host/context.ts';

export const fault: Fault = {
  name: 'offset-overflow',
  wrong: 'Offsets wrap at 2³¹ elements.',
  seen: 'F-17',
  shownBy: null,
  unseen:
    'It needs a tensor of more than 2³¹ elements (8 GiB of float32); no suite holds one, and a case folder may not.',
  seams: () => ({
    query: (x, at, c) => {
      const offset = flatIndex([x.p.heads, x.p.seq_q, x.p.head_dim], at.b, at.h, at.i, c);
      return read(x.q, offset % 2 ** 31);
    },
  }),
};
