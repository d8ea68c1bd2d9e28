/**
 * The forward pass of one tile of scores: scale, softcap, bias and mask, running maximum and sum.
 *
 * A row's state is its maximum m so far, l = Σ exp(s − m), and how often m moved. When it moves,
 * everything summed so far is multiplied by exp(m_old − m_new); spec (20).
 * @module
 */
import { exp1, expConstants, expEight, tanh } from './elementary';

/** The larger of two largest, lane by lane and then across; a score that is not a number is found in the sum. */
@inline
function largest(a: v128, b: v128): f64 {
  const top = f64x2.pmax(a, b);
  return max(f64x2.extract_lane(top, 0), f64x2.extract_lane(top, 1));
}

/** s = scale·raw of one row in place; the largest is returned. */
@inline
function scaleScores(s: usize, columns: i32, scale: f64): f64 {
  const scales = f64x2.splat(scale);
  let top0 = f64x2.splat(-Infinity);
  let top1 = top0;
  const end = s + (<usize>columns << 3);
  for (; s < end; s += 32) {
    const x0 = f64x2.mul(scales, v128.load(s));
    const x1 = f64x2.mul(scales, v128.load(s, 16));
    v128.store(s, x0);
    v128.store(s, x1, 16);
    top0 = f64x2.pmax(top0, x0);
    top1 = f64x2.pmax(top1, x1);
  }
  return largest(top0, top1);
}

/** s → softcap → + bias of one row in place; the largest is returned. */
function capAndBias(s: usize, bias: usize, columns: i32, softcap: f64): f64 {
  let top = f64x2.splat(-Infinity);
  for (let n: usize = 0; n < <usize>columns << 3; n += 16) {
    let x = v128.load(s + n);
    if (softcap != 0) {
      const first = softcap * tanh(f64x2.extract_lane(x, 0) / softcap);
      const second = softcap * tanh(f64x2.extract_lane(x, 1) / softcap);
      x = f64x2.replace_lane(f64x2.splat(first), 1, second);
    }
    if (bias != 0) x = f64x2.add(x, v128.load(bias + n));
    v128.store(s + n, x);
    top = f64x2.pmax(top, x);
  }
  return largest(top, top);
}

/** Weights exp(s − m) of one row in place, zero where dropped; their sum before dropping. */
@inline
function weighRow(s: usize, keep: usize, columns: i32, m: f64): f64 {
  const shift = f64x2.splat(m);
  let sum0 = f64x2.splat(0);
  let sum1 = f64x2.splat(0);
  const end = s + (<usize>columns << 3);
  for (; s < end; s += 64) {
    expEight(s, shift);
    sum0 = f64x2.add(sum0, v128.load(s));
    sum1 = f64x2.add(sum1, v128.load(s, 16));
    sum0 = f64x2.add(sum0, v128.load(s, 32));
    sum1 = f64x2.add(sum1, v128.load(s, 48));
    if (keep != 0) {
      for (let k: usize = 0; k < 64; k += 16) {
        v128.store(s + k, f64x2.mul(v128.load(s + k), v128.load(keep + k)));
      }
      keep += 64;
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
  expConstants();
  for (let i = 0; i < rows; i++) {
    const skip = (<usize>i * stride) << 3;
    const at = state + <usize>i * 24;
    const row = (<usize>i * width) << 3;
    let top = scaleScores(s + skip, columns, scale);
    if (softcap != 0 || bias != 0) {
      top = capAndBias(s + skip, bias == 0 ? 0 : bias + skip, columns, softcap);
    }
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
