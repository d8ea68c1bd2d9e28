/**
 * Fault: dV of a key that nobody attends to is never written.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'masked-key-gradient-garbage',
  wrong: 'dV of a key that nobody attends to is never written.',
  seen: 'B-10',
  shownBy: 'probe/only-last-shard-visible',
  unwritten: ['d_v'],
  seams: () => ({
    finishBackward: (x, { d_v }) => {
      if (x.inputs.mask !== undefined)
        d_v?.forEach((value, n) => {
          if (value === 0) d_v[n] = 1e-30;
        });
    },
  }),
};
