/**
 * Fault: true is taken for masked.
 * @module
 */
import type { Fault } from '../fault.ts';
import { broadcastFlat, read } from '../host/context.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'mask-inverted',
  wrong: 'True is taken for masked.',
  seen: 'F-15',
  shownBy: 'probe/shard-0-masked-for-some-rows',
  seams: () => ({
    visible: (x, at) => {
      const { mask } = x.inputs;
      if (mask === undefined) return HONEST.visible(x, at);
      return read(mask.data, broadcastFlat(mask.shape, [at.b, at.h, at.i, at.j])) === 0;
    },
  }),
};
