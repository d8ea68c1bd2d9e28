/**
 * Fault: the first key of each shard but the first is skipped.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'first-key-skipped',
  wrong: 'The first key of each shard but the first is skipped.',
  seen: 'invented',
  shownBy: 'probe/window-itself',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      return { start: source > 0 && stop > start ? start + 1 : start, stop };
    },
  }),
};
