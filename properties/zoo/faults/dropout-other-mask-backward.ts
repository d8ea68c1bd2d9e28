/**
 * Fault: the backward pass drops other keys than the forward pass.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'dropout-other-mask-backward',
  wrong: 'The backward pass drops other keys than the forward pass.',
  seen: 'B-6',
  shownBy: 'pair/mask-and-dropout',
  seams: () => ({
    kappa: (x, at) =>
      HONEST.kappa(x, at.pass === 'backward' ? { ...at, j: (at.j + 1) % x.p.seq_kv } : at),
  }),
};
