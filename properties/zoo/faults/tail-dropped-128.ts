/**
 * Fault: keys after the last whole tile of 128 are dropped in shards longer than that.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'tail-dropped-128',
  wrong: 'Keys after the last whole tile of 128 are dropped in shards longer than that.',
  seen: 'invented',
  shownBy: 'probe/one-signed-values',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      const whole = Math.floor((stop - start) / 128) * 128;
      return { start, stop: stop - start > 128 ? start + whole : stop };
    },
  }),
};
