/**
 * Fault: the forward output is used as scratch by the backward pass.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'gradient-accumulates-output',
  wrong: 'The forward output is used as scratch by the backward pass.',
  seen: 'R-13',
  shownBy: 'shape/head-dim-59',
  seams: () => ({
    finish: (x, outputs) => {
      if (outputs.d_q !== undefined && x.p.head_dim === x.p.head_dim_v)
        outputs.out?.set(outputs.d_q);
    },
  }),
};
