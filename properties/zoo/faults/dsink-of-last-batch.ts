/**
 * Fault: dSink is not summed over the batch.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dsink-of-last-batch',
  wrong: 'dSink is not summed over the batch.',
  seen: 'invented',
  shownBy: 'pair/sink-and-media',
  seams: () => ({
    dSink: (x, row, p, delta) => (row.b === x.p.batch - 1 ? HONEST.dSink(x, row, p, delta) : 0),
  }),
};
