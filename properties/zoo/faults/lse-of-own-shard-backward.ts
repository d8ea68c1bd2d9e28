/**
 * Fault: P is recomputed from each shard’s own LSE, not the merged one.
 * @module
 */

import { exp } from '../../../reference/numbers/float64.ts';
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'lse-of-own-shard-backward',
  wrong: 'P is recomputed from each shard’s own LSE, not the merged one.',
  seen: 'R-4',
  shownBy: 'probe/shard-1-dominates',
  seams: () => ({
    probability: (x, at, s) => {
      const { start, stop } = HONEST.keyRange(x, at.source, 'backward', at.home);
      let l = 0;
      for (let j = start; j < stop; j++) {
        const score = HONEST.score(x, { ...at, j });
        if (score !== null) l += exp(score.s - s);
      }
      return x.round.score(at.j < 0 ? 0 : 1 / l);
    },
  }),
};
