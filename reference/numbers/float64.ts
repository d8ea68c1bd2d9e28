/**
 * Float64 arithmetic with elementary functions of our own.
 *
 * `exp`, `log` and `tanh` use only + − × ÷ and the exponent field of a double, so their bits are
 * the same on every machine; `Math.exp` and friends carry no such promise. With u = 2⁻⁵³:
 *   exp   relative error ≤ 4u where the result is normal, absolute error ≤ 2⁻¹⁰⁷⁴ below that
 *   log   error ≤ 8u·|log x|
 *   tanh  absolute error ≤ 8u, relative error ≤ 32u
 * The derivation stands beside each function; float64.test.ts measures it against 40 digits.
 * @module
 */
import type { Arithmetic } from './arithmetic.ts';

const LOG2_E = 1.4426950408889634;
/** ln 2 = LN2_HIGH + LN2_LOW; LN2_HIGH has 33 bits, so k·LN2_HIGH is exact for |k| < 2²⁰. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const SQRT_HALF = 0.7071067811865476;

/** 1/n! for n = 2..14, each correctly rounded: 1/n! is one division of exact integers. */
const INVERSE_FACTORIALS = Array.from({ length: 13 }, (_, i) => {
  let factorial = 1;
  for (let n = 2; n <= i + 2; n++) factorial *= n;
  return 1 / factorial;
});

const doubleView = new Float64Array(1);
const wordView = new Uint32Array(doubleView.buffer);
const HIGH_WORD = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;

/** 2^k for −1022 ≤ k ≤ 1023, by writing the exponent field. */
function powerOfTwo(k: number): number {
  wordView[1 - HIGH_WORD] = 0;
  wordView[HIGH_WORD] = (k + 1023) << 20;
  return doubleView[0] ?? 0;
}

/** x·2^k for −2044 ≤ k ≤ 2046, in two steps so that no step leaves the range early. */
function scaleByPowerOfTwo(x: number, k: number): number {
  if (k > 1023) return x * powerOfTwo(1023) * powerOfTwo(k - 1023);
  if (k >= -1022) return x * powerOfTwo(k);
  return x * powerOfTwo(k + 1022) * powerOfTwo(-1022);
}

/**
 * e^r − 1 for |r| ≤ 0.3466 by its Taylor polynomial of degree 14 (remainder < 2⁻⁷⁰ relative);
 * Horner's error is below 1.5u·|r| because every coefficient past the first is at most ½.
 */
function expm1Reduced(r: number): number {
  let sum = 0;
  for (let i = INVERSE_FACTORIALS.length - 1; i >= 0; i--) {
    sum = sum * r + (INVERSE_FACTORIALS[i] ?? 0);
  }
  return r + r * r * sum;
}

/**
 * e^x. Reduction x = k·ln2 + r costs u·|r| (x − k·LN2_HIGH is exact); then 1 + expm1(r). Infinite beyond the
 * last float64 whose e^x is below 2¹⁰²⁴, and nowhere else.
 */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 709.782712893384) return Number.POSITIVE_INFINITY;
  if (x < -745.14) return 0;
  const k = Math.round(x * LOG2_E);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  return scaleByPowerOfTwo(1 + expm1Reduced(r), k);
}

/** e^x − 1 without cancellation; relative error ≤ 16u. */
export function expm1(x: number): number {
  return Math.abs(x) <= 0.3466 ? expm1Reduced(x) : exp(x) - 1;
}

/** The exponent e and fraction f ∈ [√½, √2) with x = f·2^e, for finite x > 0. */
function splitNear1(x: number): [number, number] {
  let shift = 0;
  let value = x;
  if (x < 2.2250738585072014e-308) {
    value = x * 18014398509481984;
    shift = -54;
  }
  doubleView[0] = value;
  const exponent = (((wordView[HIGH_WORD] ?? 0) >>> 20) & 2047) - 1022;
  wordView[HIGH_WORD] = ((wordView[HIGH_WORD] ?? 0) & 0x000fffff) | (1022 << 20);
  const fraction = doubleView[0] ?? 0;
  return fraction < SQRT_HALF ? [exponent - 1 + shift, fraction * 2] : [exponent + shift, fraction];
}

/**
 * ln x: x = f·2^e, s = (f−1)/(f+1), ln f = 2s·(1 + s²/3 + s⁴/5 + …), |s| ≤ 0.1716, 13 terms
 * (remainder < 2⁻⁶⁸ relative). f − 1 is exact; s costs 2u, the series and the sum 3u more.
 */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return x;
  const [e, f] = splitNear1(x);
  const s = (f - 1) / (f + 1);
  const z = s * s;
  let series = 0;
  for (let n = 25; n >= 3; n -= 2) series = (series + 1 / n) * z;
  const logFraction = 2 * s + 2 * s * series;
  return e * LN2_HIGH + (e * LN2_LOW + logFraction);
}

/** tanh x = t/(t+2), t = e^{2x} − 1, near zero; 1 − 2/(e^{2|x|}+1) elsewhere. */
export function tanh(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude > 20) return Math.sign(x);
  if (magnitude <= 0.17) {
    const t = expm1Reduced(2 * x);
    return t / (t + 2);
  }
  return Math.sign(x) * (1 - 2 / (exp(2 * magnitude) + 1));
}

/** Float64 as a number system for the generic definition. */
export const float64: Arithmetic<number> = {
  name: 'float64',
  zero: 0,
  one: 1,
  fromNumber: (value) => value,
  toNumber: (value) => value,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  neg: (a) => -a,
  compare: (a, b) => a - b,
  exp,
  log,
  tanh,
};
