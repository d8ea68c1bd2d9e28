/**
 * Fault: rows after the last whole tile of 16 of a shard are never written.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'row-tail-unwritten',
  wrong: 'Rows after the last whole tile of 16 of a shard are never written.',
  seen: 'LVX-6',
  shownBy: 'basic/more-queries',
  seams: () => ({
    rowRange: (x, home, pass) => {
      const { start, stop } = HONEST.rowRange(x, home, pass);
      const whole = Math.floor((stop - start) / 16) * 16;
      return { start, stop: stop - start > 16 ? start + whole : stop };
    },
  }),
};
