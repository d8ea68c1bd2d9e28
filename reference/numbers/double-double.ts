/**
 * Double-double: numbers hi + lo with hi the float64 nearest to the sum, about 106 bits.
 *
 * Sums, products and quotients are those of Joldes, Muller and Popescu (ACM TOMS 44:2, 2017), made
 * of TwoSum (Knuth), Fast2Sum and TwoProd (Dekker, with Veltkamp's splitting: no FMA). `exp`, `log`
 * and `tanh` are series with the bounds derived beside them; those of exp and log are proved in
 * spec/theory/DoubleKernels.v. `DOUBLE_DOUBLE_ERROR` holds every bound, stated relative to the
 * computed result; spec/bounds.md §7 derives them. Beyond 2^996 the
 * splitting overflows: a word becomes NaN or infinite, which no caller may take for a number.
 * @module
 */
import type { Arithmetic } from './arithmetic.ts';
import { log as log64 } from './float64.ts';

/** hi + lo, hi = RN(hi + lo). */
export interface DoubleDouble {
  readonly hi: number;
  readonly lo: number;
}

/** Error of each operation relative to its result; `absolute` beside it, `tiny` for underflow. */
export const DOUBLE_DOUBLE_ERROR = {
  add: 2 ** -103,
  mul: 2 ** -102,
  div: 2 ** -101,
  exp: 2 ** -99,
  log: 2 ** -102,
  logAbsolute: 2 ** -97,
  tanh: 2 ** -97,
  tiny: 2 ** -1060,
} as const;

const of = (hi: number, lo = 0): DoubleDouble => ({ hi, lo });
const ZERO = of(0);
const ONE = of(1);

/** a + b exactly, for |a| ≥ |b| or a = 0. Dekker. */
function fastTwoSum(a: number, b: number): DoubleDouble {
  const hi = a + b;
  return { hi, lo: b - (hi - a) };
}

/** a + b exactly. Knuth. */
export function twoSum(a: number, b: number): DoubleDouble {
  const hi = a + b;
  const [fromA, fromB] = [hi - b, hi - (hi - b)];
  return { hi, lo: a - fromA + (b - fromB) };
}

const SPLITTER = 2 ** 27 + 1;

/** a·b exactly, while nothing over- or underflows. Dekker, Veltkamp. */
export function twoProduct(a: number, b: number): DoubleDouble {
  const hi = a * b;
  const [wideA, wideB] = [SPLITTER * a, SPLITTER * b];
  const [highA, highB] = [wideA - (wideA - a), wideB - (wideB - b)];
  const [lowA, lowB] = [a - highA, b - highB];
  return { hi, lo: lowA * lowB - (hi - highA * highB - lowA * highB - highA * lowB) };
}

/** AccurateDWPlusDW: relative error ≤ 3u² + 13u³, whatever cancels. */
export function add(a: DoubleDouble, b: DoubleDouble): DoubleDouble {
  const high = twoSum(a.hi, b.hi);
  const low = twoSum(a.lo, b.lo);
  const sum = fastTwoSum(high.hi, high.lo + low.hi);
  return fastTwoSum(sum.hi, low.lo + sum.lo);
}

/** DWPlusFP: relative error ≤ 2u². */
export function addNumber(a: DoubleDouble, b: number): DoubleDouble {
  const sum = twoSum(a.hi, b);
  return fastTwoSum(sum.hi, a.lo + sum.lo);
}

/** DWTimesDW1: relative error ≤ 5u² (Muller and Rideau 2022). */
export function mul(a: DoubleDouble, b: DoubleDouble): DoubleDouble {
  const product = twoProduct(a.hi, b.hi);
  const cross = a.hi * b.lo + a.lo * b.hi;
  return fastTwoSum(product.hi, product.lo + cross);
}

/** DWTimesFP1: relative error ≤ 2u². */
function mulNumber(a: DoubleDouble, b: number): DoubleDouble {
  const product = twoProduct(a.hi, b);
  const sum = fastTwoSum(product.hi, a.lo * b);
  return fastTwoSum(sum.hi, sum.lo + product.lo);
}

const neg = (a: DoubleDouble): DoubleDouble => ({ hi: -a.hi, lo: -a.lo });
const sub = (a: DoubleDouble, b: DoubleDouble): DoubleDouble => add(a, neg(b));

/** DWDivDW2: relative error ≤ 15u² + 56u³. */
export function div(a: DoubleDouble, b: DoubleDouble): DoubleDouble {
  const quotient = a.hi / b.hi;
  const back = mulNumber(b, quotient);
  const rest = a.hi - back.hi + (a.lo - back.lo);
  return fastTwoSum(quotient, rest / b.hi);
}

const compare = (a: DoubleDouble, b: DoubleDouble): number =>
  a.hi === b.hi ? a.lo - b.lo : a.hi - b.hi;

const TERMS = 27;
/** 1/n! for n = 1..27, each a quotient of the one before: relative error ≤ 16n·u². */
const INVERSE_FACTORIALS: readonly DoubleDouble[] = (() => {
  const list = [ONE];
  for (let n = 2; n <= TERMS; n++) list.push(div(list[n - 2] ?? ONE, of(n)));
  return list;
})();

/**
 * e^r − 1 for |r| ≤ 0.35: r + r²/2! + … + r²⁷/27! by Horner, the remainder below 2⁻¹³⁸·|r|.
 * Relative error ≤ 40u²: term n carries n products (5u²), n sums (4u²) and its coefficient (16n·u²),
 * so Σ 25n·u²·0.35^{n−1}/n! ≤ 25u²·e^0.35 < 36u².
 */
function expm1Reduced(r: DoubleDouble): DoubleDouble {
  let sum = ZERO;
  for (let n = TERMS - 1; n >= 0; n--) sum = add(mul(sum, r), INVERSE_FACTORIALS[n] ?? ZERO);
  return mul(sum, r);
}

const LOG2_E = 1.4426950408889634;

/** ln 2 in three words, the first two of 40 bits: their multiples by |k| < 2¹³ are exact. */
const [LN2_FIRST, LN2_SECOND, LN2_THIRD] = [
  0.6931471805592082, 7.371002565161996e-13, 5.8029889835956905e-25,
];

/** x + k·ln2, what the words leave out of ln 2 below 2⁻¹³⁰·|k|; each sum relative to its result. */
function addLn2(x: DoubleDouble, k: number): DoubleDouble {
  return addNumber(addNumber(addNumber(x, k * LN2_FIRST), k * LN2_SECOND), k * LN2_THIRD);
}

/** 2^k, −1074 ≤ k ≤ 1023, by doubling and halving. */
const POWERS = Float64Array.from({ length: 2098 });
for (let k = 0, up = 1; k <= 1023; k++, up *= 2) POWERS[k + 1074] = up;
for (let k = -1, low = 0.5; k >= -1074; k--, low /= 2) POWERS[k + 1074] = low;
const powerOfTwo = (k: number): number => POWERS[k + 1074] ?? Number.NaN;

/** x·2^k for |k| ≤ 2100 in steps that neither leave the range early nor round twice. */
function scale(x: DoubleDouble, k: number): DoubleDouble {
  const first = Math.max(-1000, Math.min(1000, k));
  const second = Math.max(-1000, Math.min(1000, k - first));
  const [p, q, r] = [powerOfTwo(first), powerOfTwo(second), powerOfTwo(k - first - second)];
  return fastTwoSum(x.hi * p * q * r, x.lo * p * q * r);
}

/**
 * e^x. |x − k·ln2| ≤ 0.35; the three sums of the reduction cost 3·2u²·0.36 and the words 2⁻¹²⁰, all
 * absolute; then 1 + expm1: 40u²·0.42 + 4u². Together below 32u² = 2⁻¹⁰¹, stated as 2⁻⁹⁹. Infinite from 709
 * on, a little before e^x is.
 */
export function exp(x: DoubleDouble): DoubleDouble {
  if (Number.isNaN(x.hi) || x.hi > 709) return of(x.hi > 709 ? Infinity : Number.NaN);
  if (x.hi < -745.14) return ZERO; // e^x < 2⁻¹⁰⁷⁵: within `tiny`
  const k = Math.round(x.hi * LOG2_E);
  return scale(add(ONE, expm1Reduced(addLn2(x, -k))), k);
}

/**
 * ln x for x > 0: x = f·2^e with f near one, y = log64(f), then ln f = y + ln(1 + z) with
 * z = f·e^{−y} − 1, |z| ≤ 2⁻⁵⁰, so z − z²/2 + z³/3 leaves 2⁻²⁰⁰. The error of z is that of exp and
 * one product, below 2⁻⁹⁸ in absolute terms; the sums are relative.
 */
export function log(x: DoubleDouble): DoubleDouble {
  if (!(x.hi > 0) || x.hi === Infinity) return of(Number.NaN);
  const e = Math.round(log64(x.hi) * LOG2_E);
  const f = scale(x, -e);
  const y = log64(f.hi);
  const z = addNumber(mul(f, exp(of(-y))), -1);
  const series = z.hi * z.hi * (z.hi / 3 - 0.5);
  return addLn2(addNumber(addNumber(z, series), y), e);
}

/**
 * tanh x = t/(t + 2) with t = e^{2x} − 1 where |2x| ≤ 0.34 (relative error ≤ 2·40u² + 16u² + 4u²);
 * 1 − 2/(e^{2|x|} + 1) beyond, where |tanh x| > 0.16 and the absolute error is at most
 * 2·(exp's 2⁻⁹⁹ + 24u²)/(e^{0.34} + 1). Stated as 2⁻⁹⁷, relative.
 */
export function tanh(x: DoubleDouble): DoubleDouble {
  const twice = { hi: 2 * Math.abs(x.hi), lo: x.hi < 0 ? -2 * x.lo : 2 * x.lo };
  if (twice.hi <= 0.34) {
    const t = expm1Reduced(x.hi < 0 ? neg(twice) : twice);
    return div(t, add(t, of(2)));
  }
  // From e^{2|x|} > 2¹¹⁰ on the quotient is below the bound.
  const quotient = twice.hi > 80 ? ZERO : div(of(2), add(exp(twice), ONE));
  const magnitude = sub(ONE, quotient);
  return x.hi < 0 ? neg(magnitude) : magnitude;
}

/** Double-double as a number system for the generic definition. */
export const doubleDouble: Arithmetic<DoubleDouble> = {
  name: 'double-double',
  zero: ZERO,
  one: ONE,
  fromNumber: (value) => of(value),
  toNumber: ({ hi }) => hi,
  add,
  sub,
  mul,
  div,
  neg,
  compare,
  exp,
  log,
  tanh,
};
