/**
 * Sums with errors made into results: times a factor, with what that loses, and rounded outward.
 * @module
 */

const U: f64 = 1.1102230246251565e-16;
/** SLACK and TINY of radius.ts. */
const SLACK: f64 = 1.0000000009313226;
const TINY: f64 = 2.2250738585072014e-308;

/** finiteRadius of radius.ts, two lanes. */
@inline
function finiteRadius(value: v128, error: v128): v128 {
  const infinite = f64x2.splat(Infinity);
  const radius = f64x2.add(f64x2.mul(error, f64x2.splat(SLACK)), f64x2.splat(TINY));
  const finite = v128.and(f64x2.lt(f64x2.abs(value), infinite), f64x2.lt(radius, infinite));
  return v128.bitselect(radius, infinite, finite);
}

/**
 * In place, `count` of them, an even number: value = scale·value, and error = factor·error + u·|value| +
 * lost. `outward` makes a radius of the error.
 */
export function finishSums(
  values: usize,
  errors: usize,
  count: i32,
  scale: f64,
  factor: f64,
  lost: f64,
  outward: bool,
): void {
  for (let n: usize = 0; n < <usize>count << 3; n += 16) {
    const value = f64x2.mul(f64x2.splat(scale), v128.load(values + n));
    const rounding = f64x2.mul(f64x2.abs(value), f64x2.splat(U));
    let error = f64x2.mul(f64x2.splat(factor), v128.load(errors + n));
    error = f64x2.add(f64x2.add(error, rounding), f64x2.splat(lost));
    if (outward) error = finiteRadius(value, error);
    v128.store(values + n, value);
    v128.store(errors + n, error);
  }
}

/**
 * Lemma Output for a row, in place, `count` columns, an even number: `values` holds sums of weights times
 * values and becomes the output, value/l·κ; `sizes` holds A_ic and becomes the radius. `slope` is (1 + B)/l,
 * `numerator` the relative error of the sums and `lost` what underflow took of them, `relative` B + u;
 * `errors` holds those of the values, or is 0; `kappaError` is that of κ and of the product with it.
 */
export function finishOutput(
  values: usize,
  sizes: usize,
  errors: usize,
  count: i32,
  l: f64,
  slope: f64,
  numerator: f64,
  lost: f64,
  relative: f64,
  kappa: f64,
  kappaError: f64,
): void {
  for (let n: usize = 0; n < <usize>count << 3; n += 16) {
    const plain = f64x2.div(v128.load(values + n), f64x2.splat(l));
    let missing = f64x2.mul(v128.load(sizes + n), f64x2.splat(numerator));
    missing = f64x2.mul(f64x2.add(missing, f64x2.splat(lost)), f64x2.splat(slope));
    let radius = f64x2.mul(f64x2.abs(plain), f64x2.splat(relative));
    radius = f64x2.add(missing, radius);
    if (errors != 0) radius = f64x2.add(radius, v128.load(errors + n));
    radius = f64x2.add(radius, f64x2.splat(TINY));
    const value = f64x2.mul(plain, f64x2.splat(kappa));
    const own = f64x2.mul(f64x2.abs(value), f64x2.splat(kappaError));
    const spread = f64x2.add(f64x2.mul(radius, f64x2.splat(kappa)), own);
    v128.store(values + n, value);
    v128.store(sizes + n, finiteRadius(value, spread));
  }
}
