/**
 * Fault: keys after the last whole tile of 16 are dropped in shards longer than that.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'tail-dropped-16',
  wrong: 'Keys after the last whole tile of 16 are dropped in shards longer than that.',
  seen: 'invented',
  shownBy: 'basic/more-keys',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      const whole = Math.floor((stop - start) / 16) * 16;
      return { start, stop: stop - start > 16 ? start + whole : stop };
    },
  }),
};
