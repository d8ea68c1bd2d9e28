/**
 * Fault: A global LSE buffer, allocated by element count, is not refreshed for the backward pass.
 * @module
 */
import type { Fault } from '../fault.ts';
import { read } from '../host/context.ts';
import { rowIndex } from '../host/honest.ts';

export const fault: Fault = {
  name: 'stale-lse-backward',
  wrong: 'A global LSE buffer, allocated by element count, is not refreshed for the backward pass.',
  seen: 'LVX-9',
  shownBy: 'state/02',
  remembers: true,
  seams: () => {
    let before = new Float64Array(0);
    return {
      savedLse: (x, lse, row) =>
        read(before.length === lse.length ? before : lse, rowIndex(x, row)),
      finish: (_x, { lse }) => {
        before = lse?.slice() ?? before;
      },
    };
  },
};
