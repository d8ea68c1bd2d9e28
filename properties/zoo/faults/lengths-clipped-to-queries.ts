/**
 * Fault: key lengths are clipped to the number of queries.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'lengths-clipped-to-queries',
  wrong: 'Key lengths are clipped to the number of queries.',
  seen: 'F-19',
  shownBy: 'pair/varlen-and-recompute',
  seams: () => ({
    visible: (x, at) =>
      HONEST.visible(x, at) && (x.inputs.kv_lengths === undefined || at.j < x.p.seq_q),
  }),
};
