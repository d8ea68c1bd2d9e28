/**
 * Fault: scale 0 is taken for none given.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'scale-zero-is-default',
  wrong: 'Scale 0 is taken for none given.',
  seen: 'LVX-13',
  shownBy: 'probe/scale-zero',
  seams: () => ({ scale: (x) => x.round.score(x.p.scale || 1 / Math.sqrt(x.p.head_dim)) }),
};
