/**
 * Fault: scale 0 is taken for none given, in the backward pass.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'scale-zero-is-default-backward',
  wrong: 'Scale 0 is taken for none given, in the backward pass.',
  seen: 'LVX-13',
  shownBy: 'probe/scale-zero',
  seams: () => ({
    scale: (x, pass) =>
      x.round.score(x.p.scale || (pass === 'backward' ? 1 / Math.sqrt(x.p.head_dim) : 0)),
  }),
};
