/**
 * Fault: sums of dQ take another order in every call (atomics).
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'order-of-sums-varies',
  wrong: 'Sums of dQ take another order in every call (atomics).',
  seen: 'B-5',
  shownBy: null,
  unseen:
    'Right by the definition: the bounds hold for every order of summation; `xattn fuzz` says of such a candidate that it is not deterministic.',
  remembers: true,
  seams: () => {
    let calls = 0;
    return {
      begin: () => {
        calls++;
      },
      source: (x, home, step) => HONEST.source(x, home, (step + calls) % x.p.partition.ranks),
    };
  },
};
