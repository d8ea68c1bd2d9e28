/**
 * Fault: A tile’s tail past the end of a shard reads the keys that follow in memory.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'tail-keys-of-others',
  wrong: 'A tile’s tail past the end of a shard reads the keys that follow in memory.',
  seen: 'LVX-6',
  shownBy: 'probe/all-rows-empty',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      return pass === 'forward'
        ? { start, stop: start + Math.ceil((stop - start) / 4) * 4 }
        : { start, stop };
    },
  }),
};
