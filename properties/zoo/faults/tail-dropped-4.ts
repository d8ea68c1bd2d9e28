/**
 * Fault: keys after the last whole tile of 4 are dropped in shards longer than that.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'tail-dropped-4',
  wrong: 'Keys after the last whole tile of 4 are dropped in shards longer than that.',
  seen: 'invented',
  shownBy: 'shape/keys-17-one-rank',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      const whole = Math.floor((stop - start) / 4) * 4;
      return { start, stop: stop - start > 4 ? start + whole : stop };
    },
  }),
};
