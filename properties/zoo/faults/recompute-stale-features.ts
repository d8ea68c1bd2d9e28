/**
 * Fault: K and V are recomputed from the features of the call before.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'recompute-stale-features',
  wrong: 'K and V are recomputed from the features of the call before.',
  seen: 'LVX-15',
  shownBy: 'state/29',
  remembers: true,
  seams: () => {
    let before: Float64Array | null = null;
    return {
      begin: (x) => {
        const y = x.inputs.y?.data;
        if (y === undefined) return;
        const own = y.slice();
        if (before?.length === y.length) y.set(before);
        before = own;
      },
    };
  },
};
