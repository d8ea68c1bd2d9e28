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
  expPair,
  fastError,
  mulHigh,
  mulLow,
  tanhPair,
} from './double-double';

/**
 * Doubles of `constants`: scale, softcap, 1/softcap (2), κ (2), and from the eighth on the table of
 * expPair. Doubles of a row's `facts`: m, 1/l (2), dLSE − D (2), the relative error of dS, its absolute
 * error over P, the relative error of κP.
 */
const TABLE: usize = 64;
const FACTS: usize = 64;

/** exp(s − m) in place of raw, two lanes: scale → softcap → + bias; `slope` gets 1 − tanh². */
@inline
function weighPair(h: usize, l: usize, bias: usize, m: f64, constants: usize, slope: usize): void {
  const zero = f64x2.splat(0);
  const one = f64x2.splat(1);
  const scale = v128.load64_splat(constants);
  let xh = mulHigh(v128.load(h), v128.load(l), scale, zero);
  let xl = mulLow(v128.load(h), v128.load(l), scale, zero);
  if (load<f64>(constants, 8) != 0) {
    const cap = v128.load64_splat(constants, 8);
    const ih = v128.load64_splat(constants, 16);
    const il = v128.load64_splat(constants, 24);
    v128.store(h, mulHigh(xh, xl, ih, il));
    v128.store(l, mulLow(xh, xl, ih, il));
    tanhPair(h, l, constants + TABLE);
    const th = v128.load(h);
    const tl = v128.load(l);
    if (slope != 0) {
      const sh = mulHigh(th, tl, th, tl);
      const sl = mulLow(th, tl, th, tl);
      v128.store(slope, addNumberHigh(f64x2.neg(sh), f64x2.neg(sl), one));
      v128.store(slope, addNumberLow(f64x2.neg(sh), f64x2.neg(sl), one), 16);
    }
    xh = mulHigh(th, tl, cap, zero);
    xl = mulLow(th, tl, cap, zero);
  }
  let hidden = f64x2.splat(0);
  if (bias != 0) {
    let b = v128.load(bias);
    hidden = f64x2.eq(b, f64x2.splat(-Infinity));
    b = v128.andnot(b, hidden);
    const sh = addNumberHigh(xh, xl, b);
    xl = addNumberLow(xh, xl, b);
    xh = sh;
  }
  const shift = f64x2.splat(-m);
  v128.store(h, addNumberHigh(xh, xl, shift));
  v128.store(l, addNumberLow(xh, xl, shift));
  expPair(h, l, constants + TABLE);
  v128.store(h, v128.andnot(v128.load(h), hidden));
  v128.store(l, v128.andnot(v128.load(l), hidden));
}

/**
 * Turns raw products (high, low) [rows, columns] of row length `stride` into weights exp(s − m), zero
 * where dropped. `state` [rows, 4] holds m and gains the weights' sum (2), before dropping; its fourth
 * number becomes the sum of this tile, in float64. columns is even; `bias` and `keep` may be 0.
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
): void {
  const zero = f64x2.splat(0);
  for (let i = 0; i < rows; i++, state += 32) {
    const skip = (<usize>i * stride) << 3;
    const m = load<f64>(state);
    let sh = zero;
    let sl = zero;
    for (let n = skip; n < skip + (<usize>columns << 3); n += 16) {
      weighPair(high + n, low + n, bias == 0 ? 0 : bias + n, m, constants, 0);
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

/** One pair of lanes of `doubleGradient`, whose P is left behind the slope. Returns |dS| of both. */
@inline
function gradientPair(
  sh: usize,
  sl: usize,
  dh: usize,
  dl: usize,
  bias: usize,
  keep: usize,
  facts: usize,
  constants: usize,
  slope: usize,
  scores: usize,
  plane: usize,
): v128 {
  weighPair(sh, sl, bias, load<f64>(facts), constants, slope);
  const ih = v128.load64_splat(facts, 8);
  const il = v128.load64_splat(facts, 16);
  const ph = mulHigh(v128.load(sh), v128.load(sl), ih, il);
  const pl = mulLow(v128.load(sh), v128.load(sl), ih, il);
  v128.store(slope, ph, 32);
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
    const fl = v128.load(slope, 16);
    v128.store(dh, mulHigh(rh, rl, fh, fl)); // spec (14)
    v128.store(dl, mulLow(rh, rl, fh, fl));
  } else {
    v128.store(dh, rh);
    v128.store(dl, rl);
  }
  return f64x2.abs(rh);
}

/**
 * (sh, sl) raw products become κP, (dh, dl) dO·V become dRaw, tiles [rows, columns] of row length
 * `stride`. `facts` [rows, 8] as above. `byRow` [rows, 2] receives the sums of the error of dRaw and of
 * |dS|, `byColumn` [2, columns] those of the error of dRaw and of the error of κP. `slope` is room for
 * six doubles. `scores`, unless 0, receives dS and its error in tiles like sh's, `plane` bytes apart:
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
    for (let n: usize = 0; n < width; n += 16) {
      const at = skip + n;
      const b = bias == 0 ? 0 : bias + at;
      const k = keep == 0 ? 0 : keep + at;
      const to = scores == 0 ? 0 : scores + at;
      const size = gradientPair(
        sh + at,
        sl + at,
        dh + at,
        dl + at,
        b,
        k,
        facts,
        constants,
        slope,
        to,
        plane,
      );
      const p = v128.load(slope, 32);
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
