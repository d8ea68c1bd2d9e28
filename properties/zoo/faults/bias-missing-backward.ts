/**
 * Fault: the backward pass recomputes scores without the bias.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'bias-missing-backward',
  wrong: 'The backward pass recomputes scores without the bias.',
  seen: 'invented',
  shownBy: 'probe/negative-lse-one-query',
  seams: () => ({ bias: (x, at) => (at.pass === 'backward' ? 0 : HONEST.bias(x, at)) }),
};
