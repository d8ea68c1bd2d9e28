/**
 * Fault: rows after the last whole tile of 128 of a shard are never written.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'row-tail-unwritten-128',
  wrong: 'Rows after the last whole tile of 128 of a shard are never written.',
  seen: 'LVX-6',
  shownBy: 'shape/queries-129-one-rank',
  seams: () => ({
    rowRange: (x, home, pass) => {
      const { start, stop } = HONEST.rowRange(x, home, pass);
      return { start, stop: stop - start > 128 && stop - start < 256 ? start + 128 : stop };
    },
  }),
};
