/**
 * Fault: the bias is indexed by the row’s position in its rank.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'bias-local-rows',
  wrong: 'The bias is indexed by the row’s position in its rank.',
  seen: 'LVX-4',
  shownBy: 'pair/bias-and-uneven',
  seams: () => ({
    bias: (x, at) => HONEST.bias(x, { ...at, i: at.i - (x.rows[at.home]?.start ?? 0) }),
  }),
};
