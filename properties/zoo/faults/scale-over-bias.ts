/**
 * Fault: the bias is scaled with the scores.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'scale-over-bias',
  wrong: 'The bias is scaled with the scores.',
  seen: 'invented',
  shownBy: 'probe/shard-2-dominates',
  seams: () => ({ bias: (x, at) => x.round.score(x.p.scale * HONEST.bias(x, at)) }),
};
