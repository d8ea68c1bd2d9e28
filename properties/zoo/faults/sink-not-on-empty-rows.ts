/**
 * Fault: A row without keys forgets its sink: LSE −∞.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'sink-not-on-empty-rows',
  wrong: 'A row without keys forgets its sink: LSE −∞.',
  seen: 'invented',
  shownBy: 'probe/all-rows-empty-but-a-sink',
  seams: () => ({
    storeRow: (x, row, partial, forward) =>
      HONEST.storeRow(
        x,
        row,
        partial.o.every((value) => value === 0)
          ? { ...partial, lse: Number.NEGATIVE_INFINITY }
          : partial,
        forward,
      ),
  }),
};
