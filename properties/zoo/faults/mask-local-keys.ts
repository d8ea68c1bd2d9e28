/**
 * Fault: the mask is indexed by the key’s position in its shard.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'mask-local-keys',
  wrong: 'The mask is indexed by the key’s position in its shard.',
  seen: 'LVX-4',
  shownBy: 'probe/shard-0-masked-for-some-rows',
  seams: () => ({
    visible: (x, at) =>
      x.inputs.mask === undefined
        ? HONEST.visible(x, at)
        : HONEST.visible(x, { ...at, j: at.j - (x.keys[at.source]?.start ?? 0) }),
  }),
};
