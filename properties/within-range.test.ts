import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { largestComponent, largestInputs } from '../reference/bounds/by-row/largest.ts';
import { errorModel } from '../reference/bounds/lemmas/error-model.ts';
import { PROFILE_NAMES, PROFILES, type ProfileName } from '../reference/bounds/lemmas/profile.ts';
import { beyondElements } from '../reference/bounds/range/range.ts';
import { nothingOverflows, overflowCheck } from '../reference/bounds/range/within-range.ts';
import type { AttentionCase } from '../reference/case/case.ts';
import { drawCase } from '../reference/case/draw-case.ts';
import { forEachIndex, tensorOf, toFlat } from '../reference/numbers/tensor.ts';
import { hostileCaseArbitrary } from './arbitraries/hostile-case.ts';

const cases = hostileCaseArbitrary();

/** The quick answer of who knows how large K and V are. */
function quickWhereKnown(c: AttentionCase, profile: ProfileName, lseError: number): boolean {
  const { keys, values } = largestInputs(c, 1);
  const known = { k: largestComponent(keys), v: largestComponent(values) };
  return overflowCheck(c, known)(errorModel(PROFILES[profile], c.parameters.dtype, null), lseError);
}

/** Does the walk over all elements find one that may be lost? */
function anyLost(c: AttentionCase, profile: ProfileName, lseError: number): boolean {
  const model = errorModel(PROFILES[profile], c.parameters.dtype, null);
  const { batch, heads, seq_q } = c.parameters;
  const errors = new Float64Array(batch * heads * seq_q).fill(lseError);
  const beyond = beyondElements(c, model, tensorOf<number>(errors, [batch, heads, seq_q]));
  return c.parameters.wants.some((name) => toFlat(beyond[name]!).includes(true));
}

describe('the quick answer to what may overflow', () => {
  for (const profile of PROFILE_NAMES) {
    it(`never says that nothing can where an element may, at ${profile}`, () => {
      const seen = { quick: 0, lost: 0, slow: 0 };
      fc.assert(
        fc.property(cases, fc.constantFrom(0, 1e-6, 1, 8), (c, lseError) => {
          const model = errorModel(PROFILES[profile], c.parameters.dtype, null);
          const quick = nothingOverflows(c, model, lseError);
          const lost = anyLost(c, profile, lseError);
          const known = quickWhereKnown(c, profile, lseError);
          expect((quick || known) && lost).toBe(false);
          seen[quick ? 'quick' : lost ? 'lost' : 'slow']++;
        }),
        { numRuns: 1000, seed: 3 },
      );
      // It must say so often, and elements must be lost often, or the law would be idle.
      expect(seen.quick).toBeGreaterThan(150);
      expect(seen.lost).toBeGreaterThan(50);
      // What is not lost is seldom looked at closely.
      expect(seen.quick).toBeGreaterThan(seen.slow);
    });
  }

  it('comes sooner where recomputed K and V are known: they are smaller than their parts might make them', () => {
    const shape = { dim_y: 64, head_dim: 32, dtype: 'bf16' } as const;
    const c = drawCase(4, { ...shape, scale: 0.125 });
    const model = errorModel(PROFILES.bf16, 'bf16', null);
    expect([nothingOverflows(c, model, 1), anyLost(c, 'bf16', 1)]).toEqual([false, false]);
    expect(quickWhereKnown(c, 'bf16', 1)).toBe(true);
  });

  it('does not come where K and V are small and the sums that make them may overflow', () => {
    const cancelling = (size: number) =>
      drawCase(4, {
        ...{ dim_y: 2, dtype: 'f32', gradients: false },
        adjust: ({ y, w_k, w_v }) => {
          for (const w of [w_k, w_v]) forEachIndex(w!.shape, (at) => w!.set(...at, size));
          forEachIndex(y!.shape, (at) => y!.set(...at, at[2] === 0 ? size : -size));
        },
      });
    const [small, large] = [cancelling(2 ** 20), cancelling(2 ** 64)];
    expect([quickWhereKnown(small, 'f32', 0), anyLost(small, 'f32', 0)]).toEqual([true, false]);
    expect([quickWhereKnown(large, 'f32', 0), anyLost(large, 'f32', 0)]).toEqual([false, true]);
  });
});
