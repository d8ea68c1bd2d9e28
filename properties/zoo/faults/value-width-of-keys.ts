/**
 * Fault: V is read with the row width of K.
 * @module
 */
import type { Fault } from '../fault.ts';
import { flatIndex, read } from '../host/context.ts';

export const fault: Fault = {
  name: 'value-width-of-keys',
  wrong: 'V is read with the row width of K.',
  seen: 'invented',
  shownBy: 'exact/one-hot',
  seams: () => ({
    value: (x, { b, h, j, pass }, c) =>
      read(
        x.v,
        flatIndex([x.p.kv_heads, x.p.seq_kv, x.p.head_dim], b, x.seams.kvHead(x, h, pass), j, c),
      ),
  }),
};
