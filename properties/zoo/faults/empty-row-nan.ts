/**
 * Fault: A row without keys gives NaN.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'empty-row-nan',
  wrong: 'A row without keys gives NaN.',
  seen: 'F-7',
  shownBy: 'feature/media',
  seams: () => ({
    storeRow: (x, row, partial, forward) =>
      HONEST.storeRow(
        x,
        row,
        partial.lse === Number.NEGATIVE_INFINITY
          ? { ...partial, o: partial.o.map(() => Number.NaN) }
          : partial,
        forward,
      ),
  }),
};
