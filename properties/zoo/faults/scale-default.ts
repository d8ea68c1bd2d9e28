/**
 * Fault: the scale given is ignored: 1/√d is used.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'scale-default',
  wrong: 'The scale given is ignored: 1/√d is used.',
  seen: 'invented',
  shownBy: 'probe/scale-zero',
  seams: () => ({ scale: (x) => x.round.score(1 / Math.sqrt(x.p.head_dim)) }),
};
