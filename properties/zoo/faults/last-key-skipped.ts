/**
 * Fault: the last key of the last shard is skipped.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'last-key-skipped',
  wrong: 'The last key of the last shard is skipped.',
  seen: 'invented',
  shownBy: 'probe/window-itself',
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      return { start, stop: stop === x.p.seq_kv && stop > start + 1 ? stop - 1 : stop };
    },
  }),
};
