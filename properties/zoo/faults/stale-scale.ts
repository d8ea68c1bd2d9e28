/**
 * Fault: A compiled kernel keeps the scale of the first call.
 * @module
 */
import type { Fault } from '../fault.ts';

export const fault: Fault = {
  name: 'stale-scale',
  wrong: 'A compiled kernel keeps the scale of the first call.',
  seen: 'invented',
  shownBy: 'probe/scale-zero',
  remembers: true,
  seams: () => {
    let first: number | null = null;
    return {
      scale: (x) => {
        first ??= x.round.score(x.p.scale);
        return first;
      },
    };
  },
};
