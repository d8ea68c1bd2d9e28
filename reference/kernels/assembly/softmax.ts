/**
 * The forward pass of one tile of scores: scale, softcap, bias and mask, running maximum and sum.
 *
 * A row's state is its maximum m so far, l = Σ exp(s − m), and how often m moved. When it moves,
 * everything summed so far is multiplied by exp(m_old − m_new); spec (20).
 * @module
 */
import { exp1, expEight, tanh } from './elementary';

/** s = scale·raw → softcap → + bias, of one row in place; the largest is returned. */
@inline
function scoreRow(s: usize, bias: usize, columns: i32, scale: f64, softcap: f64): f64 {
  const scales = f64x2.splat(scale);
  let top = f64x2.splat(-Infinity);
  for (let n: usize = 0; n < <usize>columns << 3; n += 16) {
    let x = f64x2.mul(scales, v128.load(s + n));
    if (softcap != 0) {
      const first = softcap * tanh(f64x2.extract_lane(x, 0) / softcap);
      const second = softcap * tanh(f64x2.extract_lane(x, 1) / softcap);
      x = f64x2.replace_lane(f64x2.splat(first), 1, second);
    }
    if (bias != 0) x = f64x2.add(x, v128.load(bias + n));
    v128.store(s + n, x);
    top = f64x2.max(top, x);
  }
  return max(f64x2.extract_lane(top, 0), f64x2.extract_lane(top, 1));
}

/** Weights exp(s − m) of one row in place, zero where dropped; their sum before dropping. */
@inline
function weighRow(s: usize, keep: usize, columns: i32, m: f64): f64 {
  const shift = f64x2.splat(m);
  let sum0 = f64x2.splat(0);
  let sum1 = f64x2.splat(0);
  for (let n: usize = 0; n < <usize>columns << 3; n += 64) {
    for (let k = n; k < n + 64; k += 16) {
      v128.store(s + k, f64x2.sub(v128.load(s + k), shift));
    }
    expEight(s + n);
    for (let k = n; k < n + 64; k += 32) {
      const w0 = v128.load(s + k);
      const w1 = v128.load(s + k, 16);
      sum0 = f64x2.add(sum0, w0);
      sum1 = f64x2.add(sum1, w1);
      if (keep != 0) {
        v128.store(s + k, f64x2.mul(w0, v128.load(keep + k)));
        v128.store(s + k, f64x2.mul(w1, v128.load(keep + k, 16)), 16);
      }
    }
  }
  const sum = f64x2.add(sum0, sum1);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

/** row[c] *= factor */
function scaleRow(row: usize, columns: i32, factor: f64): void {
  const by = f64x2.splat(factor);
  for (let n: usize = 0; n < <usize>columns << 3; n += 16) {
    v128.store(row + n, f64x2.mul(v128.load(row + n), by));
  }
}

/** row[c] += factor·values[c] */
function addScaled(row: usize, values: usize, columns: i32, factor: f64): void {
  const by = f64x2.splat(factor);
  for (let n: usize = 0; n < <usize>columns << 3; n += 16) {
    v128.store(row + n, f64x2.add(v128.load(row + n), f64x2.mul(v128.load(values + n), by)));
  }
}

/**
 * Turns raw dot products `s` [rows, columns] (row length `stride`) into weights, and brings the
 * rows' state [rows] × (m, l, moves) and their sums `out` and `size` [rows, width] to the new
 * maximum. `size` gains Σ weights · `maxima`, a bound of Σ w|v|. columns is a multiple of
 * eight, width of four; `bias` and `keep` are tiles like `s`, or 0.
 */
export function softmaxTile(
  s: usize,
  bias: usize,
  keep: usize,
  rows: i32,
  columns: i32,
  stride: i32,
  scale: f64,
  softcap: f64,
  state: usize,
  out: usize,
  size: usize,
  maxima: usize,
  width: i32,
): void {
  for (let i = 0; i < rows; i++) {
    const skip = (<usize>i * stride) << 3;
    const at = state + <usize>i * 24;
    const row = (<usize>i * width) << 3;
    const top = scoreRow(s + skip, bias == 0 ? 0 : bias + skip, columns, scale, softcap);
    let m = load<f64>(at);
    if (top > m) {
      if (m != -Infinity) {
        const factor = exp1(m - top);
        store<f64>(at, load<f64>(at, 8) * factor, 8);
        store<f64>(at, load<f64>(at, 16) + 1, 16);
        scaleRow(out + row, width, factor);
        scaleRow(size + row, width, factor);
      }
      m = top;
      store<f64>(at, m);
    }
    // A row that has seen nothing but masked keys: exp(−∞ − 0) = 0 throughout.
    const sum = weighRow(s + skip, keep == 0 ? 0 : keep + skip, columns, m == -Infinity ? 0 : m);
    store<f64>(at, load<f64>(at, 8) + sum, 8);
    addScaled(size + row, maxima, width, sum);
  }
}
