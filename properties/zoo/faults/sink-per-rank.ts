/**
 * Fault: the sink is counted once per rank.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'sink-per-rank',
  wrong: 'The sink is counted once per rank.',
  seen: 'invented',
  shownBy: 'probe/all-rows-empty-but-a-sink',
  seams: () => ({ sink: (x, row) => HONEST.sink(x, row, 0) }),
};
