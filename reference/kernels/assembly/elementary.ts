/**
 * exp, log and tanh of reference/numbers/float64.ts, operation for operation, so that the error
 * bounds proved in spec/theory/Kernels.v hold for them too; exp works on two lanes at once.
 *
 * kernels.test.ts compares every bit with float64.ts. Constants are written out because a module
 * without static data needs no memory of its own.
 * @module
 */

const LOG2_E: f64 = 1.4426950408889634;
const LN2_HIGH: f64 = 0.6931471803691238;
const LN2_LOW: f64 = 1.9082149292705877e-10;
const SQRT_HALF: f64 = 0.7071067811865476;
/** Adding 1.5·2⁵² to a small integer leaves it in the low bits of the sum. */
const INTEGER_BITS: f64 = 6755399441055744.0;
const LARGE: f64 = 709.782712893384;
const SMALL: f64 = -745.14;

@inline
function step(sum: v128, r: v128, coefficient: f64): v128 {
  return f64x2.add(f64x2.mul(sum, r), f64x2.splat(coefficient));
}

/** e^r − 1 for |r| ≤ 0.3466: Taylor's polynomial of degree 14, by Horner's scheme. */
@inline
export function expm1Reduced(r: v128): v128 {
  let sum = f64x2.splat(1.0 / 87178291200.0);
  sum = step(sum, r, 1.0 / 6227020800.0);
  sum = step(sum, r, 1.0 / 479001600.0);
  sum = step(sum, r, 1.0 / 39916800.0);
  sum = step(sum, r, 1.0 / 3628800.0);
  sum = step(sum, r, 1.0 / 362880.0);
  sum = step(sum, r, 1.0 / 40320.0);
  sum = step(sum, r, 1.0 / 5040.0);
  sum = step(sum, r, 1.0 / 720.0);
  sum = step(sum, r, 1.0 / 120.0);
  sum = step(sum, r, 1.0 / 24.0);
  sum = step(sum, r, 1.0 / 6.0);
  sum = step(sum, r, 1.0 / 2.0);
  return f64x2.add(r, f64x2.mul(f64x2.mul(r, r), sum));
}

/** 2^k for integers −1022 ≤ k ≤ 1023, by writing the exponent field. */
@inline
export function powerOfTwo(k: v128): v128 {
  const bits = i64x2.shl(f64x2.add(k, f64x2.splat(INTEGER_BITS)), 52);
  return i64x2.add(bits, i64x2.splat(0x3ff0000000000000));
}

/** Math.round: halves go up. */
@inline
export function round(v: v128): v128 {
  const nearest = f64x2.nearest(v);
  const half = f64x2.eq(f64x2.sub(v, nearest), f64x2.splat(0.5));
  return f64x2.add(nearest, v128.and(half, f64x2.splat(1)));
}

/** y·2^k in two steps: the first is exact, so that only the second rounds, as in float64.ts. */
function scaleFar(y: v128, k: v128): v128 {
  const clamped = f64x2.min(f64x2.max(k, f64x2.splat(-1200)), f64x2.splat(1200));
  const first = f64x2.floor(f64x2.mul(clamped, f64x2.splat(0.5)));
  return f64x2.mul(f64x2.mul(y, powerOfTwo(first)), powerOfTwo(f64x2.sub(clamped, first)));
}

/** e^x of two lanes. */
@inline
export function exp(x: v128): v128 {
  const k = round(f64x2.mul(x, f64x2.splat(LOG2_E)));
  const high = f64x2.sub(x, f64x2.mul(k, f64x2.splat(LN2_HIGH)));
  const r = f64x2.sub(high, f64x2.mul(k, f64x2.splat(LN2_LOW)));
  const y = f64x2.add(f64x2.splat(1), expm1Reduced(r));
  if (v128.any_true(f64x2.gt(f64x2.abs(x), f64x2.splat(708)))) {
    let far = scaleFar(y, k);
    far = v128.andnot(far, f64x2.lt(x, f64x2.splat(SMALL)));
    return v128.bitselect(f64x2.splat(Infinity), far, f64x2.gt(x, f64x2.splat(LARGE)));
  }
  return f64x2.mul(y, powerOfTwo(k));
}

/**
 * Where `expConstants` keeps what `expEight` needs: compiled code loads a double from memory and doubles
 * it in one step, but would make each constant anew, in three, and then run out of registers for them.
 */
const TABLE: usize = 0;

/** Fills the table; to be called before `expEight`. */
export function expConstants(): void {
  store<f64>(TABLE, LOG2_E, 0);
  store<f64>(TABLE, LN2_HIGH, 8);
  store<f64>(TABLE, LN2_LOW, 16);
  store<f64>(TABLE, INTEGER_BITS, 24);
  store<f64>(TABLE, 708, 32);
  store<f64>(TABLE, 0.5, 40);
  store<f64>(TABLE, 1, 48);
  store<f64>(TABLE, 1.0 / 87178291200.0, 56);
  store<f64>(TABLE, 1.0 / 6227020800.0, 64);
  store<f64>(TABLE, 1.0 / 479001600.0, 72);
  store<f64>(TABLE, 1.0 / 39916800.0, 80);
  store<f64>(TABLE, 1.0 / 3628800.0, 88);
  store<f64>(TABLE, 1.0 / 362880.0, 96);
  store<f64>(TABLE, 1.0 / 40320.0, 104);
  store<f64>(TABLE, 1.0 / 5040.0, 112);
  store<f64>(TABLE, 1.0 / 720.0, 120);
  store<f64>(TABLE, 1.0 / 120.0, 128);
  store<f64>(TABLE, 1.0 / 24.0, 136);
  store<f64>(TABLE, 1.0 / 6.0, 144);
  store<f64>(TABLE, 1.0 / 2.0, 152);
}

/** Constant n of the table, in both lanes. */
@inline
function constant(n: usize): v128 {
  return v128.load64_splat(TABLE + (n << 3));
}

/** Is any lane beyond the range in which one multiplication scales? */
@inline
function far(x: v128): v128 {
  return f64x2.gt(f64x2.abs(x), constant(4));
}

/** round(x·log₂e) */
@inline
function exponent(x: v128): v128 {
  const v = f64x2.mul(x, constant(0));
  const nearest = f64x2.nearest(v);
  const half = f64x2.eq(f64x2.sub(v, nearest), constant(5));
  return f64x2.add(nearest, v128.and(half, constant(6)));
}

/** x − k·ln 2 */
@inline
function reduced(x: v128, k: v128): v128 {
  const high = f64x2.sub(x, f64x2.mul(k, constant(1)));
  return f64x2.sub(high, f64x2.mul(k, constant(2)));
}

/** `step` with constant n of the table. */
@inline
function next(sum: v128, r: v128, n: usize): v128 {
  return f64x2.add(f64x2.mul(sum, r), constant(n));
}

/** (1 + (r + r²·sum))·2^k */
@inline
function scaled(r: v128, sum: v128, k: v128): v128 {
  const one = constant(6);
  const y = f64x2.add(one, f64x2.add(r, f64x2.mul(f64x2.mul(r, r), sum)));
  const bits = i64x2.shl(f64x2.add(k, constant(3)), 52);
  return f64x2.mul(y, i64x2.add(bits, one));
}

/** exp of four vectors within range, side by side, to the eight doubles at `at`. */
@inline
function expNear(at: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ka = exponent(a);
  const kb = exponent(b);
  const kc = exponent(c);
  const kd = exponent(d);
  const ra = reduced(a, ka);
  const rb = reduced(b, kb);
  const rc = reduced(c, kc);
  const rd = reduced(d, kd);
  let sa = next(constant(7), ra, 8);
  let sb = next(constant(7), rb, 8);
  let sc = next(constant(7), rc, 8);
  let sd = next(constant(7), rd, 8);
  sa = next(sa, ra, 9);
  sb = next(sb, rb, 9);
  sc = next(sc, rc, 9);
  sd = next(sd, rd, 9);
  sa = next(sa, ra, 10);
  sb = next(sb, rb, 10);
  sc = next(sc, rc, 10);
  sd = next(sd, rd, 10);
  sa = next(sa, ra, 11);
  sb = next(sb, rb, 11);
  sc = next(sc, rc, 11);
  sd = next(sd, rd, 11);
  sa = next(sa, ra, 12);
  sb = next(sb, rb, 12);
  sc = next(sc, rc, 12);
  sd = next(sd, rd, 12);
  sa = next(sa, ra, 13);
  sb = next(sb, rb, 13);
  sc = next(sc, rc, 13);
  sd = next(sd, rd, 13);
  sa = next(sa, ra, 14);
  sb = next(sb, rb, 14);
  sc = next(sc, rc, 14);
  sd = next(sd, rd, 14);
  sa = next(sa, ra, 15);
  sb = next(sb, rb, 15);
  sc = next(sc, rc, 15);
  sd = next(sd, rd, 15);
  sa = next(sa, ra, 16);
  sb = next(sb, rb, 16);
  sc = next(sc, rc, 16);
  sd = next(sd, rd, 16);
  sa = next(sa, ra, 17);
  sb = next(sb, rb, 17);
  sc = next(sc, rc, 17);
  sd = next(sd, rd, 17);
  sa = next(sa, ra, 18);
  sb = next(sb, rb, 18);
  sc = next(sc, rc, 18);
  sd = next(sd, rd, 18);
  sa = next(sa, ra, 19);
  sb = next(sb, rb, 19);
  sc = next(sc, rc, 19);
  sd = next(sd, rd, 19);
  v128.store(at, scaled(ra, sa, ka), 0);
  v128.store(at, scaled(rb, sb, kb), 16);
  v128.store(at, scaled(rc, sc, kc), 32);
  v128.store(at, scaled(rd, sd, kd), 48);
}

/** exp(x − shift) of the eight doubles at `at`, in place: the steps of `exp`. */
@inline
export function expEight(at: usize, shift: v128): void {
  const a = f64x2.sub(v128.load(at), shift);
  const b = f64x2.sub(v128.load(at, 16), shift);
  const c = f64x2.sub(v128.load(at, 32), shift);
  const d = f64x2.sub(v128.load(at, 48), shift);
  if (v128.any_true(v128.or(v128.or(far(a), far(b)), v128.or(far(c), far(d))))) {
    v128.store(at, exp(a));
    v128.store(at, exp(b), 16);
    v128.store(at, exp(c), 32);
    v128.store(at, exp(d), 48);
  } else expNear(at, a, b, c, d);
}

/** e^x. */
export function exp1(x: f64): f64 {
  return f64x2.extract_lane(exp(f64x2.splat(x)), 0);
}

/** ln x for finite x > 0. */
export function log(x: f64): f64 {
  let shift = 0;
  let value = x;
  if (x < 2.2250738585072014e-308) {
    value = x * 18014398509481984.0;
    shift = -54;
  }
  const bits = reinterpret<u64>(value);
  let e = ((<i32>(bits >> 52)) & 2047) - 1022;
  let f = reinterpret<f64>((bits & 0x000fffffffffffff) | (<u64>1022 << 52));
  if (f < SQRT_HALF) {
    e -= 1;
    f *= 2;
  }
  const s = (f - 1) / (f + 1);
  const z = s * s;
  let series: f64 = 0;
  for (let n: f64 = 25; n >= 3; n -= 2) series = (series + 1 / n) * z;
  const fraction = 2 * s + 2 * s * series;
  const k = <f64>(e + shift);
  return k * LN2_HIGH + (k * LN2_LOW + fraction);
}

/** tanh x. */
export function tanh(x: f64): f64 {
  const magnitude = abs(x);
  if (magnitude > 20) return copysign<f64>(1, x);
  if (magnitude <= 0.17) {
    const t = f64x2.extract_lane(expm1Reduced(f64x2.splat(2 * x)), 0);
    return t / (t + 2);
  }
  return copysign<f64>(1, x) * (1 - 2 / (exp1(2 * magnitude) + 1));
}

/** exp of `count` doubles, an even number. */
export function expMany(from: usize, to: usize, count: i32): void {
  for (let n: usize = 0; n < <usize>count * 8; n += 16) v128.store(to + n, exp(v128.load(from + n)));
}

/** The same through `expEight`, in place; `count` is a multiple of eight. For tests. */
export function expEights(at: usize, count: i32): void {
  expConstants();
  const none = f64x2.splat(0);
  for (let n: usize = 0; n < <usize>count * 8; n += 64) expEight(at + n, none);
}

/** log of `count` doubles; for tests. */
export function logMany(from: usize, to: usize, count: i32): void {
  for (let n: usize = 0; n < <usize>count * 8; n += 8) store<f64>(to + n, log(load<f64>(from + n)));
}

/** tanh of `count` doubles; for tests. */
export function tanhMany(from: usize, to: usize, count: i32): void {
  for (let n: usize = 0; n < <usize>count * 8; n += 8) store<f64>(to + n, tanh(load<f64>(from + n)));
}
