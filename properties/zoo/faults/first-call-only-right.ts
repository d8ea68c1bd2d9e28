/**
 * Fault: A workspace freed after the first call: the last output element is stale from the second call on.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'first-call-only-right',
  wrong:
    'A workspace freed after the first call: the last output element is stale from the second call on.',
  seen: 'LVX-9',
  shownBy: 'exact/one-hot',
  remembers: true,
  seams: () => {
    let calls = 0;
    return {
      finish: (_x, { out }) => {
        if (calls++ > 0 && out !== undefined) out[out.length - 1] = 0;
      },
    };
  },
};
