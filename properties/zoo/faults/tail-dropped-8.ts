/**
 * Fault: keys after the last whole tile of 8 are dropped in shards longer than that.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'tail-dropped-8',
  wrong: 'Keys after the last whole tile of 8 are dropped in shards longer than that.',
  seen: 'invented',
  shownBy: 'exact/places-1x1-1x13x11-on-1',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      const whole = Math.floor((stop - start) / 8) * 8;
      return { start, stop: stop - start > 8 ? start + whole : stop };
    },
  }),
};
