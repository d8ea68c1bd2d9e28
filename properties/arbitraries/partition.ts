/**
 * Partition layouts: how rows are dealt to ranks. Even, uneven, with empty ranks, a prime number of
 * ranks, one row a rank.
 *
 * A recipe is drawn without knowing the lengths; `layout` deals any number of rows by it.
 * @module
 */
import fc from 'fast-check';
import type { Partition } from '../../reference/case/case.ts';

export const LAYOUTS = ['single', 'even', 'uneven', 'empty', 'prime', 'one row a rank'] as const;
export type LayoutName = (typeof LAYOUTS)[number];

/** How to deal; `weights` decide the uneven ones. */
export interface LayoutRecipe {
  readonly kind: LayoutName;
  readonly ranks: number;
  readonly q: readonly number[];
  readonly kv: readonly number[];
}

const PRIMES = [2, 3, 5, 7, 11] as const;

/** Any layout, for at most `maxRanks` ranks (one row a rank may need more). */
export function partitionArbitrary(maxRanks = 6): fc.Arbitrary<LayoutRecipe> {
  const weights = fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 12 });
  return fc.record({
    kind: fc.constantFrom(...LAYOUTS),
    ranks: fc.integer({ min: 1, max: maxRanks }),
    q: weights,
    kv: weights,
  });
}

/** `total` rows dealt in proportion to weights, which are read round and round. */
export function deal(total: number, ranks: number, weights: readonly number[]): number[] {
  const given = Array.from({ length: ranks }, (_, r) => weights[r % weights.length] ?? 0);
  const sum = given.reduce((a, b) => a + b, 0);
  if (sum === 0) return given.map((_, r) => (r === ranks - 1 ? total : 0));
  const sizes = given.map((weight) => Math.floor((total * weight) / sum));
  let left = total - sizes.reduce((a, b) => a + b, 0);
  for (let r = 0; left > 0; r = (r + 1) % ranks) {
    if (given[r] === 0) continue;
    sizes[r] = (sizes[r] ?? 0) + 1;
    left--;
  }
  return sizes;
}

/** The partition that a recipe makes of these lengths; sizes add up to them. */
export function layout(recipe: LayoutRecipe, seqQ: number, seqKv: number): Partition {
  const { kind, q, kv } = recipe;
  const ones = [1];
  const both = (ranks: number, wq: readonly number[], wkv: readonly number[]): Partition => ({
    ranks,
    q: deal(seqQ, ranks, wq),
    kv: deal(seqKv, ranks, wkv),
  });
  switch (kind) {
    case 'single':
      return both(1, ones, ones);
    case 'even':
      return both(recipe.ranks, ones, ones);
    case 'uneven':
      return both(
        recipe.ranks,
        q.map((weight) => weight + 1),
        kv.map((weight) => weight + 1),
      );
    case 'empty':
      return both(recipe.ranks + 1, [0, ...q], [...kv, 0]);
    case 'prime':
      return both(PRIMES[(recipe.ranks - 1) % PRIMES.length] ?? 2, q, kv);
    case 'one row a rank':
      return both(Math.max(1, seqQ, seqKv), ones, ones);
  }
}
