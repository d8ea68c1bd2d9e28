/**
 * The backward pass of one tile: P recomputed from the row's m and l, dS, and how far both may be off.
 *
 * Beside every weight and every dS stands a bound of its error; their sums over rows and columns of
 * the tile are what the radii of dQ, dK and dV are made of (spec/bounds.md, the kernels' radii).
 * @module
 */
import { expConstants, expEight, tanh } from './elementary';

/** Doubles per row of `facts`: m, 1/l, dLSE − D, then the three errors, and two of padding. */
const FACTS: usize = 8;

/** s → softcap → + bias in place; `slope` receives 1 − tanh² under a softcap. */
function capAndBias(s: usize, bias: usize, columns: i32, softcap: f64, slope: usize): void {
  const one = f64x2.splat(1);
  for (let n: usize = 0; n < <usize>columns << 3; n += 16) {
    let x = v128.load(s + n);
    if (softcap != 0) {
      const t0 = tanh(f64x2.extract_lane(x, 0) / softcap);
      const t1 = tanh(f64x2.extract_lane(x, 1) / softcap);
      const t = f64x2.replace_lane(f64x2.splat(t0), 1, t1);
      x = f64x2.mul(f64x2.splat(softcap), t);
      v128.store(slope + n, f64x2.sub(one, f64x2.mul(t, t)));
    }
    if (bias != 0) x = f64x2.add(x, v128.load(bias + n));
    v128.store(s + n, x);
  }
}

/** exp(s − m) in place of raw, s = scale·raw → softcap → + bias. */
@inline
function weighRow(
  s: usize,
  bias: usize,
  columns: i32,
  scale: f64,
  softcap: f64,
  m: f64,
  slope: usize,
): void {
  const bytes = <usize>columns << 3;
  const scales = f64x2.splat(scale);
  for (let n: usize = 0; n < bytes; n += 32) {
    v128.store(s + n, f64x2.mul(scales, v128.load(s + n)));
    v128.store(s + n, f64x2.mul(scales, v128.load(s + n, 16)), 16);
  }
  if (softcap != 0 || bias != 0) capAndBias(s, bias, columns, softcap, slope);
  const shift = f64x2.splat(m);
  for (let n: usize = 0; n < bytes; n += 64) expEight(s + n, shift);
}

/** One row of the tile; the arguments are those of `gradientTile`, at this row. */
@inline
function gradientRow(
  s: usize,
  dp: usize,
  bias: usize,
  keep: usize,
  errorTile: usize,
  columns: i32,
  scale: f64,
  softcap: f64,
  kappa: f64,
  facts: usize,
  byColumn: usize,
  byRow: usize,
  slope: usize,
): void {
  weighRow(s, bias, columns, scale, softcap, load<f64>(facts), slope);
  const inverse = f64x2.splat(load<f64>(facts, 8));
  const delta = f64x2.splat(load<f64>(facts, 16));
  const relative = f64x2.splat(load<f64>(facts, 24));
  const absolute = f64x2.splat(load<f64>(facts, 32));
  const weightError = f64x2.splat(load<f64>(facts, 40));
  let errors = f64x2.splat(0);
  let sizes = f64x2.splat(0);
  for (let n: usize = 0; n < <usize>columns << 3; n += 16) {
    const p = f64x2.mul(v128.load(s + n), inverse);
    let k = f64x2.splat(kappa);
    if (keep != 0) k = f64x2.mul(k, v128.load(keep + n));
    const weight = f64x2.mul(k, p); // spec (10)
    const g = f64x2.mul(k, v128.load(dp + n)); // spec (11)
    const ds = f64x2.mul(p, f64x2.add(g, delta)); // spec (13)
    const size = f64x2.abs(ds);
    const error = f64x2.add(f64x2.mul(size, relative), f64x2.mul(p, absolute));
    v128.store(s + n, weight);
    v128.store(dp + n, softcap == 0 ? ds : f64x2.mul(ds, v128.load(slope + n))); // spec (14)
    if (bias != 0) v128.store(bias + n, ds);
    if (errorTile != 0) v128.store(errorTile + n, error);
    errors = f64x2.add(errors, error);
    sizes = f64x2.add(sizes, size);
    const first = byColumn + n;
    v128.store(first, f64x2.add(v128.load(first), error));
    const second = first + (<usize>columns << 3);
    v128.store(second, f64x2.add(v128.load(second), f64x2.mul(weight, weightError)));
  }
  store<f64>(byRow, f64x2.extract_lane(errors, 0) + f64x2.extract_lane(errors, 1));
  store<f64>(byRow, f64x2.extract_lane(sizes, 0) + f64x2.extract_lane(sizes, 1), 8);
}

/**
 * Tiles [rows, columns] of row length `stride`: `s` holds raw dot products and becomes κP, `dp` holds
 * dO·V and becomes dRaw, `bias` (or 0) holds the bias and becomes dS, `errorTile` (or 0) receives the
 * errors of dS. `facts` [rows, 8] holds m,
 * 1/l, dLSE − D, the relative error of dS, its absolute error over P, the relative error of κP.
 * `byRow` [rows, 2] receives the sums of the error of dRaw and of |dS|. `byColumn`
 * [2, columns] receives those of the error of dRaw and of the error of κP. `slope` [columns] is room to
 * work in. columns is a multiple of eight.
 */
export function gradientTile(
  s: usize,
  dp: usize,
  bias: usize,
  keep: usize,
  errorTile: usize,
  rows: i32,
  columns: i32,
  stride: i32,
  scale: f64,
  softcap: f64,
  kappa: f64,
  facts: usize,
  byRow: usize,
  byColumn: usize,
  slope: usize,
): void {
  expConstants();
  for (let n: usize = 0; n < <usize>columns << 4; n += 16) v128.store(byColumn + n, f64x2.splat(0));
  for (let i = 0; i < rows; i++) {
    const skip = (<usize>i * stride) << 3;
    gradientRow(
      s + skip,
      dp + skip,
      bias == 0 ? 0 : bias + skip,
      keep == 0 ? 0 : keep + skip,
      errorTile == 0 ? 0 : errorTile + skip,
      columns,
      scale,
      softcap,
      kappa,
      facts + <usize>i * (FACTS << 3),
      byColumn,
      byRow + (<usize>i << 4),
      slope,
    );
  }
}

/** to[r][c] += weights[r · step] · values[c] over [rows, width]; width is even. */
export function addOuter(
  to: usize,
  weights: usize,
  step: i32,
  values: usize,
  rows: i32,
  width: i32,
): void {
  for (let r = 0; r < rows; r++, weights += <usize>step << 3) {
    const by = f64x2.splat(load<f64>(weights));
    for (let n: usize = 0; n < <usize>width << 3; n += 16, to += 16) {
      v128.store(to, f64x2.add(v128.load(to), f64x2.mul(v128.load(values + n), by)));
    }
  }
}
