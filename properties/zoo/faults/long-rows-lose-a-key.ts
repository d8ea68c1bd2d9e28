/**
 * Fault: shards longer than 64 keys lose the key at position 64.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'long-rows-lose-a-key',
  wrong: 'Shards longer than 64 keys lose the key at position 64.',
  seen: 'invented',
  shownBy: 'size/1000-keys',
  seams: () => ({
    visible: (x, at) => HONEST.visible(x, at) && at.j - (x.keys[at.source]?.start ?? 0) !== 64,
  }),
};
