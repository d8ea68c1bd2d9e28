/**
 * Products of double-double matrices from exact float64 products of slices, after Ozaki, Ogita, Oishi and
 * Rump (Numerical Algorithms 59, 2012).
 *
 * Along each row of the left operand and each column of the right one, numbers are cut into four
 * slices of 22 bits below a common power of two, so that a float64 sum of 512 products of slices has no
 * rounding at all. A number's rest after four slices is below 2⁻⁸⁸ of that power.
 * @module
 */
import { PRODUCT, panelProduct } from './product';
import { addNumberHigh, addNumberLow } from './double-double';

/** Bit 4: a number is beyond 2⁴⁰⁰, or none. */
const TOO_LARGE: i32 = 16;
/** Bit 5: a number has a rest after its four slices. */
const REST: i32 = 32;

/** 1.5·2^n: adding it and taking it away rounds to a multiple of 2^{n−52}. */
@inline
function rounder(n: i32): f64 {
  return 1.5 * reinterpret<f64>(<u64>(1023 + n) << 52);
}

/** Eight bytes of zeros, above what products keep to themselves: what a lane that is missing reads. */
const NOTHING: usize = 640;

/** A double of each of two lanes. */
@inline
function two(first: usize, second: usize): v128 {
  return v128.load_lane<f64>(second, v128.load_zero<f64>(first), 1);
}

/** The power 2^e above a number of magnitude `top`; below 2⁻⁷⁰⁰ the grid gets no finer. */
@inline
function above(top: f64): i32 {
  return max(<i32>((reinterpret<u64>(top) >> 52) & 2047) - 1022, -700);
}

/** `rounder` for two lanes. */
@inline
function rounders(first: i32, second: i32, n: i32): v128 {
  return f64x2.replace_lane(f64x2.splat(rounder(first + n)), 1, rounder(second + n));
}

@inline
function anyBut0(values: v128): i32 {
  return i32(v128.any_true(values));
}

/**
 * Slices of two lanes of a panel, one only unless `both`: `depth` numbers `step` bytes apart, to two doubles
 * of every four of each slice. Returns a bit for each slice that is not all zero, and REST; slices after the last of these
 * hold anything. A low word is added to what two slices leave with a rounding below 2⁻⁹⁸, of which REST
 * does not tell.
 */
function sliceLanes(
  high: usize,
  low: usize,
  laneStep: usize,
  step: usize,
  both: bool,
  depth: i32,
  to: usize,
  sliceBytes: usize,
): i32 {
  let other = both ? high + laneStep : NOTHING;
  const otherStep = both ? step : 0;
  let top = f64x2.splat(0);
  let bad = f64x2.splat(0);
  const end = to + (<usize>depth << 5);
  for (let at = to; at < end; at += 32, high += step, other += otherStep) {
    const x = two(high, other);
    top = f64x2.pmax(top, f64x2.abs(x));
    bad = v128.or(bad, f64x2.sub(x, x));
    v128.store(at, x);
  }
  const top0 = f64x2.extract_lane(top, 0);
  const top1 = f64x2.extract_lane(top, 1);
  if (v128.any_true(bad) || !(max(top0, top1) < 2.582249878086909e120)) return TOO_LARGE;
  const e0 = above(top0);
  const e1 = above(top1);
  const g1 = rounders(e0, e1, 30);
  let left = f64x2.splat(0);
  for (let at = to; at < end; at += 32) {
    const x = v128.load(at);
    const s1 = f64x2.sub(f64x2.add(x, g1), g1);
    const rest = f64x2.sub(x, s1);
    v128.store(at, s1);
    v128.store(at + sliceBytes, rest);
    left = v128.or(left, f64x2.abs(rest));
  }
  const some = anyBut0(f64x2.abs(top));
  if (low == 0 && !v128.any_true(left)) return some;
  const g2 = rounders(e0, e1, 8);
  const g3 = rounders(e0, e1, -14);
  const g4 = rounders(e0, e1, -36);
  let any2 = f64x2.splat(0);
  let any3 = f64x2.splat(0);
  let any4 = f64x2.splat(0);
  let any5 = f64x2.splat(0);
  let otherLow = both ? low + laneStep : NOTHING;
  for (let at = to + sliceBytes; at < end + sliceBytes; at += 32) {
    let rest = v128.load(at);
    const s2 = f64x2.sub(f64x2.add(rest, g2), g2);
    rest = f64x2.sub(rest, s2);
    if (low != 0) {
      rest = f64x2.add(rest, two(low, otherLow));
      low += step;
      otherLow += otherStep;
    }
    const s3 = f64x2.sub(f64x2.add(rest, g3), g3);
    rest = f64x2.sub(rest, s3);
    const s4 = f64x2.sub(f64x2.add(rest, g4), g4);
    v128.store(at, s2);
    v128.store(at + sliceBytes, s3);
    v128.store(at + 2 * sliceBytes, s4);
    any2 = v128.or(any2, f64x2.abs(s2));
    any3 = v128.or(any3, f64x2.abs(s3));
    any4 = v128.or(any4, f64x2.abs(s4));
    any5 = v128.or(any5, f64x2.abs(f64x2.sub(rest, s4)));
  }
  const bits = some | (anyBut0(any2) << 1) | (anyBut0(any3) << 2) | (anyBut0(any4) << 3);
  return bits | (v128.any_true(any5) ? REST : 0);
}

/** Zeros in place of every slice that is not in `bits` but in `wanted`, of two lanes. */
function clear(to: usize, sliceBytes: usize, depth: i32, bits: i32, wanted: i32): void {
  for (let s = 0; s < 4; s++, to += sliceBytes) {
    if ((((wanted & ~bits) >> s) & 1) == 0) continue;
    for (let k = 0, at = to; k < depth; k++, at += 32) v128.store(at, f64x2.splat(0));
  }
}

/**
 * Cuts `count` rows (or columns) of `depth` numbers each into four slices packed in panels, `sliceBytes`
 * apart: lanes are `laneStep` bytes apart, the numbers of a lane `step`. `low` is 0 for float64 numbers.
 * Returns a bit for each slice that is not all zero, REST and TOO_LARGE. The first four bits of each panel
 * lie behind the slices, four bytes for each; a slice that has none there is not to be read.
 */
export function slice(
  high: usize,
  low: usize,
  laneStep: usize,
  step: usize,
  count: i32,
  depth: i32,
  to: usize,
  sliceBytes: usize,
): i32 {
  store<f64>(NOTHING, 0);
  let panel = to + 4 * sliceBytes;
  let bits = 0;
  for (let first = 0; first < count; first += 4, to += <usize>depth << 5, panel += 4) {
    const skip = <usize>first * laneStep;
    const from = low == 0 ? 0 : low + skip;
    const both = first + 1 < count;
    const left = sliceLanes(high + skip, from, laneStep, step, both, depth, to, sliceBytes);
    let right = 0;
    if (first + 2 < count) {
      const on = skip + 2 * laneStep;
      const next = low == 0 ? 0 : low + on;
      const four = first + 3 < count;
      right = sliceLanes(high + on, next, laneStep, step, four, depth, to + 16, sliceBytes);
    }
    const all = (left | right) & 15;
    clear(to, sliceBytes, depth, left, all);
    clear(to + 16, sliceBytes, depth, right, all);
    store<i32>(panel, all);
    bits |= left | right;
  }
  return bits;
}

/** Four rows of high + low gain the tile in PRODUCT; rows are `stride` bytes apart. */
function addExact(high: usize, low: usize, stride: usize): void {
  for (let n: usize = 0; n < 128; n += 16) {
    const skip = (n >> 5) * stride + (n & 16);
    const h = v128.load(high + skip);
    const l = v128.load(low + skip);
    const x = v128.load(PRODUCT + n);
    v128.store(high + skip, addNumberHigh(h, l, x));
    v128.store(low + skip, addNumberLow(h, l, x));
  }
}

/**
 * high + low [rows, columns] gains A B, from slices, depth at most 128. Slices i and j meet where
 * i + j ≤ 5; those of one sum i + j are added in float64, exactly. rows and columns are rounded up to
 * fours.
 */
export function multiplySlices(
  a: usize,
  aBytes: usize,
  b: usize,
  bBytes: usize,
  rows: i32,
  columns: i32,
  depth: i32,
  stride: i32,
  high: usize,
  low: usize,
): void {
  const panel = <usize>depth << 5;
  const rowBytes = <usize>stride << 3;
  let right = b;
  for (let j = 0; j < columns; j += 4, right += panel) {
    const rightBits = load<i32>(b + 4 * bBytes + j);
    let left = a;
    for (let i = 0; i < rows; i += 4, left += panel) {
      const leftBits = load<i32>(a + 4 * aBytes + i);
      const at = <usize>i * rowBytes + (<usize>j << 3);
      for (let sum = 3; sum >= 0; sum--) {
        let some = false;
        for (let m = 0; m <= sum; m++) {
          const n = sum - m;
          if (((leftBits >> m) & (rightBits >> n) & 1) == 0) continue;
          panelProduct(left + <usize>m * aBytes, right + <usize>n * bBytes, depth, some);
          some = true;
        }
        if (some) addExact(high + at, low + at, rowBytes);
      }
    }
  }
}
