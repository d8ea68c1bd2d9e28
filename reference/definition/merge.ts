/**
 * The merge of partial results. spec (19)-(23)
 *
 * A partial result stands for a set of keys: running maximum m, sum l = Σ exp(s − m), weighted sum
 * o = Σ exp(s − m)·V. The empty set of keys (m = −∞, l = 0, o = 0) is `null`, the identity.
 * `merge` is associative and commutative with that identity, so folding it over any partition of
 * the keys, in any order and any tree, gives attention (spec/theory/Merge.v, Partition.v).
 * @module
 */
import type { Arithmetic } from '../numbers/arithmetic.ts';

/** A partial result of one query row over some keys; null is the empty set of keys. */
export type PartialResult<T> = { readonly m: T; readonly l: T; readonly o: readonly T[] } | null;

/** The empty set of keys. spec (19) */
export const EMPTY: PartialResult<never> = null;

/** One key with score s, weight κ in the numerator (dropout) and value row v. spec (19) */
export function single<T>(arithmetic: Arithmetic<T>, s: T, v: readonly T[], kappa?: T) {
  const o = kappa === undefined ? v : v.map((value) => arithmetic.mul(kappa, value));
  return { m: s, l: arithmetic.one, o };
}

/** m = max(m_a, m_b); l, o = those of a and b, each times exp(its m − m), added. spec (20) */
export function merge<T>(
  arithmetic: Arithmetic<T>,
  a: PartialResult<T>,
  b: PartialResult<T>,
): PartialResult<T> {
  if (a === null) return b;
  if (b === null) return a;
  const { add, sub, mul, exp, compare, zero } = arithmetic;
  const m = compare(a.m, b.m) >= 0 ? a.m : b.m;
  const [wA, wB] = [exp(sub(a.m, m)), exp(sub(b.m, m))];
  return {
    m,
    l: add(mul(wA, a.l), mul(wB, b.l)),
    o: a.o.map((value, c) => add(mul(wA, value), mul(wB, b.o[c] ?? zero))),
  };
}

/** O = o/l; null for the empty set, whose O is 0 and whose LSE is −∞. spec (21) */
export function finish<T>(arithmetic: Arithmetic<T>, partial: PartialResult<T>): T[] | null {
  return partial === null ? null : partial.o.map((value) => arithmetic.div(value, partial.l));
}
