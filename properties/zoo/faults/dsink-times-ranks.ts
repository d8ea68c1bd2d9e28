/**
 * Fault: dSink is summed once per rank.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dsink-times-ranks',
  wrong: 'dSink is summed once per rank.',
  seen: 'invented',
  shownBy: 'probe/sink-several-ranks',
  seams: () => ({
    dSink: (x, row, p, delta) => x.p.partition.ranks * HONEST.dSink(x, row, p, delta),
  }),
};
