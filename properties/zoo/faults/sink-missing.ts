/**
 * Fault: the sink is ignored.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'sink-missing',
  wrong: 'The sink is ignored.',
  seen: 'invented',
  shownBy: 'probe/all-rows-empty-but-a-sink',
  seams: () => ({ sink: () => null }),
};
