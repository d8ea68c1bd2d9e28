/**
 * Fault: columns of the weights are read component-major.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'recompute-column-order',
  wrong: 'Columns of the weights are read component-major.',
  seen: 'invented',
  shownBy: 'pair/window-and-recompute',
  seams: () => ({ column: (x, g, c, width) => c * x.p.kv_heads + g + 0 * width }),
};
