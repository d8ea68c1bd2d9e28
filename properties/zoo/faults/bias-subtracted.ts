/**
 * Fault: the bias is subtracted.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'bias-subtracted',
  wrong: 'The bias is subtracted.',
  seen: 'invented',
  shownBy: 'probe/shard-1-dominates',
  seams: () => ({ bias: (x, at) => -HONEST.bias(x, at) }),
};
