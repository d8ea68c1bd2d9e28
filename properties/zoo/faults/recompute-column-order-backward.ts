/**
 * Fault: columns of the weights’ gradients are written component-major.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'recompute-column-order-backward',
  wrong: 'Columns of the weights’ gradients are written component-major.',
  seen: 'invented',
  shownBy: 'model/openflamingo-recompute',
  seams: () => ({
    column: (x, g, c, width, pass) =>
      pass === 'backward' ? c * x.p.kv_heads + g : HONEST.column(x, g, c, width, pass),
  }),
};
