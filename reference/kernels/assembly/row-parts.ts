/**
 * What the loops over a row's keys are made of: rows-forward.ts, rows-backward.ts.
 * @module
 */
import { exp } from './elementary';

export const U: f64 = 1.1102230246251565e-16;
/** reference/bounds/lemmas/error-model.ts: SLACK */
export const SLACK: f64 = 1.00000095367431640625;

@inline
export function fact(facts: usize, n: usize): f64 {
  return load<f64>(facts + (n << 3));
}

@inline
export function splat(facts: usize, n: usize): v128 {
  return v128.load64_splat(facts + (n << 3));
}

@inline
export function at(x: usize, n: usize): v128 {
  return v128.load(x + n);
}

/** An array, or the same number for every key where there is none. */
@inline
export function atOr(x: usize, n: usize, otherwise: v128): v128 {
  return x == 0 ? otherwise : v128.load(x + n);
}

/** sum + x[0] + x[1], or + x[0] alone behind which there is nothing. */
@inline
export function add2(sum: f64, x: v128, both: bool): f64 {
  const first = sum + f64x2.extract_lane(x, 0);
  return both ? first + f64x2.extract_lane(x, 1) : first;
}

/** e^T − 1 ≤ T + T² for T ≤ 1. */
@inline
export function growth(t: v128): v128 {
  const one = f64x2.splat(1);
  const grown = f64x2.mul(t, f64x2.add(one, t));
  const near = f64x2.le(t, one);
  if (v128.all_true<i64>(near)) return grown;
  return v128.bitselect(grown, f64x2.mul(exp(t), f64x2.splat(1 + 8 * U)), near);
}
