/**
 * Fault: the bias is indexed by the key’s position in its shard.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'bias-local-keys',
  wrong: 'The bias is indexed by the key’s position in its shard.',
  seen: 'LVX-4',
  shownBy: 'probe/shard-2-dominates',
  seams: () => ({
    bias: (x, at) => HONEST.bias(x, { ...at, j: at.j - (x.keys[at.source]?.start ?? 0) }),
  }),
};
