/**
 * Products of double-double matrices from exact float64 products of slices, after Ozaki, Ogita, Oishi and
 * Rump (Numerical Algorithms 59, 2012).
 *
 * Along each row of the left operand and each column of the right one, numbers are cut into four
 * slices of 22 bits below a common power of two, so that a float64 sum of 512 products of slices has no
 * rounding at all. A number's rest after four slices is below 2⁻⁸⁸ of that power.
 * @module
 */
import { multiply } from './product';
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

/**
 * Slices of one lane of a panel: `depth` numbers `step` bytes apart, to every fourth double of each
 * slice. Returns a bit for each slice that is not all zero, and REST. A low word is added to what two
 * slices leave with a rounding below 2⁻⁹⁸, of which REST does not tell.
 */
function sliceLane(
  high: usize,
  low: usize,
  step: usize,
  depth: i32,
  to: usize,
  sliceBytes: usize,
): i32 {
  let top: f64 = 0;
  for (let k = 0, at = high; k < depth; k++, at += step) top = max(top, abs(load<f64>(at)));
  if (!(top < 2.582249878086909e120)) return TOO_LARGE;
  // 2^e is above every number; below 2⁻⁷⁰⁰ the grid gets no finer.
  const e = max(<i32>((reinterpret<u64>(top) >> 52) & 2047) - 1022, -700);
  const g1 = rounder(e + 30);
  const g2 = rounder(e + 8);
  const g3 = rounder(e - 14);
  const g4 = rounder(e - 36);
  let any2: f64 = 0;
  let any3: f64 = 0;
  let any4: f64 = 0;
  let any5: f64 = 0;
  const second = to + sliceBytes;
  const third = second + sliceBytes;
  const fourth = third + sliceBytes;
  for (let k: usize = 0, n: usize = 0; k < <usize>depth; k++, n += 32) {
    const x = load<f64>(high + k * step);
    const s1 = x + g1 - g1;
    let rest = x - s1;
    const s2 = rest + g2 - g2;
    rest -= s2;
    if (low != 0) rest += load<f64>(low + k * step);
    const s3 = rest + g3 - g3;
    rest -= s3;
    const s4 = rest + g4 - g4;
    store<f64>(to + n, s1);
    store<f64>(second + n, s2);
    store<f64>(third + n, s3);
    store<f64>(fourth + n, s4);
    any2 = max(any2, abs(s2));
    any3 = max(any3, abs(s3));
    any4 = max(any4, abs(s4));
    any5 = max(any5, abs(rest - s4));
  }
  const bits = i32(top > 0) | (i32(any2 > 0) << 1) | (i32(any3 > 0) << 2) | (i32(any4 > 0) << 3);
  return bits | (any5 > 0 ? REST : 0);
}

/**
 * Cuts `lanes` rows (or columns) of `depth` numbers each into four slices packed in panels, `sliceBytes`
 * apart: lanes are `laneStep` bytes apart, the numbers of a lane `step`. `low` is 0 for float64 numbers.
 * Returns a bit for each slice that is not all zero, REST and TOO_LARGE.
 */
export function slice(
  high: usize,
  low: usize,
  laneStep: usize,
  step: usize,
  lanes: i32,
  depth: i32,
  to: usize,
  sliceBytes: usize,
): i32 {
  let bits = 0;
  for (let first = 0; first < lanes; first += 4, to += <usize>depth << 5) {
    for (let lane = 0; lane < 4; lane++) {
      const target = to + (<usize>lane << 3);
      if (first + lane < lanes) {
        const skip = <usize>(first + lane) * laneStep;
        const from = low == 0 ? 0 : low + skip;
        bits |= sliceLane(high + skip, from, step, depth, target, sliceBytes);
      } else {
        for (let s: usize = 0; s < 4; s++) {
          for (let k = 0, at = target + s * sliceBytes; k < depth; k++, at += 32) store<f64>(at, 0);
        }
      }
    }
  }
  return bits;
}

/** high + low gains `exact`, all of [rows, columns], row length `stride`. */
function addExact(high: usize, low: usize, exact: usize, rows: i32, columns: i32, stride: i32): void {
  for (let i = 0; i < rows; i++) {
    const skip = (<usize>i * stride) << 3;
    for (let n = skip; n < skip + (<usize>columns << 3); n += 16) {
      const h = v128.load(high + n);
      const l = v128.load(low + n);
      const x = v128.load(exact + n);
      v128.store(high + n, addNumberHigh(h, l, x));
      v128.store(low + n, addNumberLow(h, l, x));
    }
  }
}

/**
 * high + low [rows, columns] gains A B, from slices whose bits are `aBits` and `bBits`, depth at most
 * 128. Slices i and j meet where i + j ≤ 5; those of one sum i + j are added in float64, exactly.
 * rows and columns are rounded up to fours; `exact` is room of the same layout.
 */
export function multiplySlices(
  a: usize,
  aBytes: usize,
  aBits: i32,
  b: usize,
  bBytes: usize,
  bBits: i32,
  rows: i32,
  columns: i32,
  depth: i32,
  stride: i32,
  exact: usize,
  high: usize,
  low: usize,
): void {
  for (let sum = 3; sum >= 0; sum--) {
    let some = false;
    for (let i = 0; i <= sum; i++) {
      const j = sum - i;
      if (((aBits >> i) & 1) == 0 || ((bBits >> j) & 1) == 0) continue;
      const left = a + <usize>i * aBytes;
      multiply(left, b + <usize>j * bBytes, exact, rows, columns, depth, stride, some);
      some = true;
    }
    if (some) addExact(high, low, exact, (rows + 3) & ~3, (columns + 3) & ~3, stride);
  }
}
