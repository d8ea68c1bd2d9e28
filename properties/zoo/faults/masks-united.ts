/**
 * Fault: masks are united in place of intersected: causal or mask.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'masks-united',
  wrong: 'Masks are united in place of intersected: causal or mask.',
  seen: 'invented',
  shownBy: 'pair/mask-and-causal-top-left',
  seams: () => ({
    visible: (x, at) =>
      HONEST.visible(x, at) ||
      (x.p.causal === 'top-left' && x.inputs.mask !== undefined && at.j <= at.i),
  }),
};
