/**
 * Fault: the LSE starts at 0 in place of −∞: every row gets one more key of score 0 and value 0.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'phantom-key',
  wrong: 'The LSE starts at 0 in place of −∞: every row gets one more key of score 0 and value 0.',
  seen: 'LVX-1',
  shownBy: 'feature/media',
  seams: () => ({ start: (x) => ({ lse: 0, o: new Float64Array(x.p.head_dim_v) }) }),
};
