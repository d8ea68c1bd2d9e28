/**
 * Fault: O is divided by l + 10⁻⁸.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

export const fault: Fault = {
  name: 'normalised-by-tiny-epsilon',
  wrong: 'O is divided by l + 10⁻⁸.',
  seen: 'invented',
  shownBy: null,
  unseen:
    'Equivalent: l is a float32 sum with a term e⁰ = 1, so l ≥ 1, half its spacing is at least 2⁻²⁴ > 10⁻⁸, and l + 10⁻⁸ rounds to l.',
  seams: () => ({
    shard: (x, { m, l, o }, row) =>
      HONEST.shard(x, { m, l: l === 0 ? 0 : x.round.sum(l + 1e-8), o }, row),
  }),
};
