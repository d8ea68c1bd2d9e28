/**
 * Fault: keys after the last whole tile of 32 are dropped in shards longer than that.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'tail-dropped-32',
  wrong: 'Keys after the last whole tile of 32 are dropped in shards longer than that.',
  seen: 'LVX-6',
  shownBy: 'shape/keys-65',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      const whole = Math.floor((stop - start) / 32) * 32;
      return { start, stop: stop - start > 32 ? start + whole : stop };
    },
  }),
};
