/**
 * Fault: the backward pass reads the LSE of the call before when the sizes agree.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'stale-lse',
  wrong: 'The backward pass reads the LSE of the call before when the sizes agree.',
  seen: 'LVX-9',
  shownBy: 'state/02',
  remembers: true,
  seams: () => {
    let before = new Float64Array(0);
    return {
      finishForward: (_x, forward) => {
        const kept = before.length === forward.lse.length ? before : forward.lse;
        before = forward.lse.slice();
        return { out: forward.out, lse: kept };
      },
    };
  },
};
