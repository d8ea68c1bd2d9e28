/**
 * Fault: dK of the keys after an empty shard is never written.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'empty-shard-gradient-garbage',
  wrong: 'dK of the keys after an empty shard is never written.',
  seen: 'B-10',
  shownBy: 'ranks/2-empty-keys-gradients',
  unwritten: ['d_k'],
  seams: () => ({
    finishBackward: (x, { d_k }) => {
      const hole = x.p.partition.kv.indexOf(0);
      const next = x.keys[hole + 1];
      if (hole < 0 || d_k === undefined || next === undefined) return;
      d_k.fill(0, next.start * x.p.head_dim, next.stop * x.p.head_dim);
    },
  }),
};
