/**
 * Fault: the bias is read with rows and keys exchanged where it is square.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'bias-transposed',
  wrong: 'The bias is read with rows and keys exchanged where it is square.',
  seen: 'F-9',
  shownBy: 'bias/square-1x1x6x6',
  seams: () => ({
    bias: (x, at) => HONEST.bias(x, x.p.seq_q === x.p.seq_kv ? { ...at, i: at.j, j: at.i } : at),
  }),
};
