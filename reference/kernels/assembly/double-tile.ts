/**
 * Softmax and its gradient over one tile of double-double scores, about the maxima of the float64 pass:
 * whatever is subtracted from a row's scores is allowed, so nothing moves on the way.
 * @module
 */
import {
  addHigh,
  addLow,
  addNumberHigh,
  addNumberLow,
  expRow,
  fastError,
  mulHigh,
  mulLow,
  tanhRow,
} from './double-double';
import { exp } from './elementary';

/**
 * Doubles of `constants`: scale, softcap, 1/softcap (2), κ (2), and from the eighth on the table of
 * expRow and its room. Doubles of a row's `facts`: m, 1/l (2), dLSE − D (2), the relative error of dS, its absolute
 * error over P, the relative error of κP.
 */
const TABLE: usize = 64;
const FACTS: usize = 64;

/**
 * e^x in place of a row of pairs, in float64: e^h of the high part, within 3u, and its product with 1 + l, for
 * l² is beyond both.
 */
function shortExpRow(high: usize, low: usize, bytes: usize): void {
  for (let n: usize = 0; n < bytes; n += 16) {
    const e = exp(v128.load(high + n));
    v128.store(high + n, f64x2.add(e, f64x2.mul(e, v128.load(low + n))));
    v128.store(low + n, f64x2.splat(0));
  }
}

/**
 * exp(s − m) in place of a row of raw products: scale → softcap → + bias; `slope` gets 1 − tanh². `short`: of
 * s − m in double-double the exponential in float64.
 */
function weighRow(
  high: usize,
  low: usize,
  bias: usize,
  bytes: usize,
  m: f64,
  constants: usize,
  slope: usize,
  short: bool,
): void {
  const zero = f64x2.splat(0);
  const scale = v128.load64_splat(constants);
  for (let n: usize = 0; n < bytes; n += 16) {
    const h = v128.load(high + n);
    const l = v128.load(low + n);
    v128.store(high + n, mulHigh(h, l, scale, zero));
    v128.store(low + n, mulLow(h, l, scale, zero));
  }
  if (load<f64>(constants, 8) != 0) capRow(high, low, bytes, constants, slope);
  const shift = f64x2.splat(-m);
  const hiding = f64x2.splat(-Infinity);
  for (let n: usize = 0; n < bytes; n += 16) {
    let h = v128.load(high + n);
    let l = v128.load(low + n);
    if (bias != 0) {
      let b = v128.load(bias + n);
      b = v128.andnot(b, f64x2.eq(b, hiding));
      const sum = addNumberHigh(h, l, b);
      l = addNumberLow(h, l, b);
      h = sum;
    }
    v128.store(high + n, addNumberHigh(h, l, shift));
    v128.store(low + n, addNumberLow(h, l, shift));
  }
  if (short) shortExpRow(high, low, bytes);
  else expRow(high, low, bytes, constants + TABLE);
  if (bias == 0) return;
  for (let n: usize = 0; n < bytes; n += 16) {
    const hidden = f64x2.eq(v128.load(bias + n), hiding);
    v128.store(high + n, v128.andnot(v128.load(high + n), hidden));
    v128.store(low + n, v128.andnot(v128.load(low + n), hidden));
  }
}

/** c·tanh(x/c) in place of x; spec (3). */
function capRow(high: usize, low: usize, bytes: usize, constants: usize, slope: usize): void {
  const zero = f64x2.splat(0);
  const one = f64x2.splat(1);
  const cap = v128.load64_splat(constants, 8);
  const ih = v128.load64_splat(constants, 16);
  const il = v128.load64_splat(constants, 24);
  for (let n: usize = 0; n < bytes; n += 16) {
    const h = v128.load(high + n);
    const l = v128.load(low + n);
    v128.store(high + n, mulHigh(h, l, ih, il));
    v128.store(low + n, mulLow(h, l, ih, il));
  }
  tanhRow(high, low, bytes, constants + TABLE);
  for (let n: usize = 0; n < bytes; n += 16) {
    const th = v128.load(high + n);
    const tl = v128.load(low + n);
    if (slope != 0) {
      const sh = f64x2.neg(mulHigh(th, tl, th, tl));
      const sl = f64x2.neg(mulLow(th, tl, th, tl));
      v128.store(slope + n, addNumberHigh(sh, sl, one));
      v128.store(slope + bytes + n, addNumberLow(sh, sl, one));
    }
    v128.store(high + n, mulHigh(th, tl, cap, zero));
    v128.store(low + n, mulLow(th, tl, cap, zero));
  }
}

/**
 * Turns raw products (high, low) [rows, columns] of row length `stride` into weights exp(s − m), zero
 * where dropped. `state` [rows, 4] holds m and gains the weights' sum (2), before dropping; its fourth
 * number becomes the sum of this tile, in float64. columns is even; `bias` and `keep` may be 0.
 * `short`: weights are float64 numbers.
 */
export function doubleSoftmax(
  high: usize,
  low: usize,
  bias: usize,
  keep: usize,
  rows: i32,
  columns: i32,
  stride: i32,
  state: usize,
  constants: usize,
  short: bool,
): void {
  const zero = f64x2.splat(0);
  for (let i = 0; i < rows; i++, state += 32) {
    const skip = (<usize>i * stride) << 3;
    const m = load<f64>(state);
    let sh = zero;
    let sl = zero;
    const b = bias == 0 ? 0 : bias + skip;
    weighRow(high + skip, low + skip, b, <usize>columns << 3, m, constants, 0, short);
    for (let n = skip; n < skip + (<usize>columns << 3); n += 16) {
      const wh = v128.load(high + n);
      const wl = v128.load(low + n);
      const th = addHigh(sh, sl, wh, wl);
      sl = addLow(sh, sl, wh, wl);
      sh = th;
      if (keep != 0) {
        v128.store(high + n, f64x2.mul(wh, v128.load(keep + n)));
        v128.store(low + n, f64x2.mul(wl, v128.load(keep + n)));
      }
    }
    const other = i64x2.shuffle(sh, sh, 1, 1);
    const otherLow = i64x2.shuffle(sl, sl, 1, 1);
    const th = addHigh(sh, sl, other, otherLow);
    const tl = addLow(sh, sl, other, otherLow);
    const lh = v128.load64_splat(state, 8);
    const ll = v128.load64_splat(state, 16);
    store<f64>(state, f64x2.extract_lane(addHigh(lh, ll, th, tl), 0), 8);
    store<f64>(state, f64x2.extract_lane(addLow(lh, ll, th, tl), 0), 16);
    store<f64>(state, f64x2.extract_lane(th, 0), 24);
  }
}

/** Two lanes of `doubleGradient`; P is left where the slope was. Returns |dS| of both. */
@inline
function gradientPair(
  sh: usize,
  sl: usize,
  dh: usize,
  dl: usize,
  keep: usize,
  facts: usize,
  constants: usize,
  slope: usize,
  slopeLow: usize,
  scores: usize,
  plane: usize,
): v128 {
  const ih = v128.load64_splat(facts, 8);
  const il = v128.load64_splat(facts, 16);
  const ph = mulHigh(v128.load(sh), v128.load(sl), ih, il);
  const pl = mulLow(v128.load(sh), v128.load(sl), ih, il);
  let kh = v128.load64_splat(constants, 32);
  let kl = v128.load64_splat(constants, 40);
  if (keep != 0) {
    kh = f64x2.mul(kh, v128.load(keep));
    kl = f64x2.mul(kl, v128.load(keep));
  }
  v128.store(sh, mulHigh(ph, pl, kh, kl)); // spec (10)
  v128.store(sl, mulLow(ph, pl, kh, kl));
  const gh = mulHigh(v128.load(dh), v128.load(dl), kh, kl); // spec (11)
  const gl = mulLow(v128.load(dh), v128.load(dl), kh, kl);
  const eh = v128.load64_splat(facts, 24);
  const el = v128.load64_splat(facts, 32);
  const bh = addHigh(gh, gl, eh, el);
  const bl = addLow(gh, gl, eh, el);
  const rh = mulHigh(ph, pl, bh, bl); // spec (13)
  const rl = mulLow(ph, pl, bh, bl);
  if (scores != 0) {
    v128.store(scores, rh);
    v128.store(scores + plane, rl);
  }
  if (load<f64>(constants, 8) != 0) {
    const fh = v128.load(slope);
    const fl = v128.load(slopeLow);
    v128.store(dh, mulHigh(rh, rl, fh, fl)); // spec (14)
    v128.store(dl, mulLow(rh, rl, fh, fl));
  } else {
    v128.store(dh, rh);
    v128.store(dl, rl);
  }
  v128.store(slope, ph);
  return f64x2.abs(rh);
}

/**
 * (sh, sl) raw products become κP, (dh, dl) dO·V become dRaw, tiles [rows, columns] of row length
 * `stride`. `facts` [rows, 8] as above. `byRow` [rows, 2] receives the sums of the error of dRaw and of
 * |dS|, `byColumn` [2, columns] those of the error of dRaw and of the error of κP. `slope` is room for
 * [2, columns]. `scores`, unless 0, receives dS and its error in tiles like sh's, `plane` bytes apart:
 * high, low, error.
 */
export function doubleGradient(
  sh: usize,
  sl: usize,
  dh: usize,
  dl: usize,
  bias: usize,
  keep: usize,
  rows: i32,
  columns: i32,
  stride: i32,
  facts: usize,
  constants: usize,
  byRow: usize,
  byColumn: usize,
  slope: usize,
  scores: usize,
  plane: usize,
): void {
  const width = <usize>columns << 3;
  for (let n: usize = 0; n < width << 1; n += 16) v128.store(byColumn + n, f64x2.splat(0));
  for (let i = 0; i < rows; i++, facts += FACTS, byRow += 16) {
    const skip = (<usize>i * stride) << 3;
    const relative = v128.load64_splat(facts, 40);
    const absolute = v128.load64_splat(facts, 48);
    const weightError = v128.load64_splat(facts, 56);
    let errors = f64x2.splat(0);
    let sizes = f64x2.splat(0);
    const b = bias == 0 ? 0 : bias + skip;
    weighRow(sh + skip, sl + skip, b, width, load<f64>(facts), constants, slope, false);
    for (let n: usize = 0; n < width; n += 16) {
      const at = skip + n;
      const k = keep == 0 ? 0 : keep + at;
      const to = scores == 0 ? 0 : scores + at;
      const size = gradientPair(
        sh + at,
        sl + at,
        dh + at,
        dl + at,
        k,
        facts,
        constants,
        slope + n,
        slope + width + n,
        to,
        plane,
      );
      const p = v128.load(slope + n);
      const error = f64x2.add(f64x2.mul(size, relative), f64x2.mul(p, absolute));
      if (to != 0) v128.store(to + (plane << 1), error);
      errors = f64x2.add(errors, error);
      sizes = f64x2.add(sizes, size);
      const first = byColumn + n;
      v128.store(first, f64x2.add(v128.load(first), error));
      const weight = f64x2.mul(v128.load(sh + at), weightError);
      v128.store(first + width, f64x2.add(v128.load(first + width), weight));
    }
    store<f64>(byRow, f64x2.extract_lane(errors, 0) + f64x2.extract_lane(errors, 1));
    store<f64>(byRow, f64x2.extract_lane(sizes, 0) + f64x2.extract_lane(sizes, 1), 8);
  }
}
