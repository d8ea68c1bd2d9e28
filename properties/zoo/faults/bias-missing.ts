/**
 * Fault: the bias is ignored.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'bias-missing',
  wrong: 'The bias is ignored.',
  seen: 'invented',
  shownBy: 'probe/shard-2-dominates',
  seams: () => ({ bias: () => 0 }),
};
