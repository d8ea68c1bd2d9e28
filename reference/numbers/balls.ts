/**
 * The balls that the oracle climbs through: over float64, over double-double, over decimals.
 *
 * Each comes with `enclose`: the two ends of a ball, as float64 numbers and the side of them on
 * which the end lies, so that an end can be rounded to any format exactly.
 * @module
 */
import { Decimal } from 'decimal.js';
import type { Arithmetic } from './arithmetic.ts';
import { type Ball, ball, type Radii } from './ball.ts';
import { big, exactDecimal } from './big.ts';
import {
  addNumber,
  DOUBLE_DOUBLE_ERROR,
  type DoubleDouble,
  doubleDouble,
} from './double-double.ts';
import { float64 } from './float64.ts';

/** A real number as the float64 next to it and the side of that it lies on: −1 below, 0 equal. */
export interface End {
  readonly near: number;
  readonly side: number;
}

/** A number system of balls, and how to read a ball; null where a ball is unbounded. */
export interface BallSystem<M, R> {
  readonly arithmetic: Arithmetic<Ball<M, R>>;
  readonly ends: (ball: Ball<M, R>) => { readonly low: End; readonly high: End } | null;
}

/** A system whose balls can be read as balls around a float64. */
export interface NumberBallSystem<M> extends BallSystem<M, number> {
  readonly flat: (ball: Ball<M, number>) => Ball<number, number>;
}

const U = 2 ** -53;
/** A float64 result rounded up: its half ULP is below U·|x| + 2⁻¹⁰⁷⁴. */
const up = (x: number): number => x * (1 + 4 * U) + 2 ** -1073;

/** Radii as float64; midpoints give their leading word. */
function float64Radii<M>(
  lead: (m: M) => number,
  bounded: (m: M) => boolean,
  error: Record<string, number>,
): Radii<M, number> {
  const rounded = (x: number): number => (x === 0 ? 0 : x >= 0 ? up(x) : Number.POSITIVE_INFINITY);
  const {
    add = 0,
    mul = 0,
    div = 0,
    exp = 0,
    log = 0,
    logAbsolute = 0,
    tanh = 0,
    tiny = 0,
  } = error;
  return {
    zero: 0,
    infinite: Number.POSITIVE_INFINITY,
    // The largest number stands for itself: a mask of it is a number. A low word may exceed it by u, and the
    // products and sums that a size goes into are rounded up by more than that beyond their own roundings.
    size: (m) =>
      bounded(m) ? Math.min(up(Math.abs(lead(m))), Number.MAX_VALUE) : Number.POSITIVE_INFINITY,
    gap: (m, r) => Math.max(0, Math.abs(lead(m)) * (1 - 8 * U) - up(r)) * (1 - 4 * U),
    add: (a, b) => rounded(a + b),
    mul: (a, b) => (a === 0 || b === 0 ? 0 : up(a * b)),
    div: (a, b) => (b > 0 ? up(a / b) : Number.POSITIVE_INFINITY),
    min: Math.min,
    isZero: (r) => r === 0,
    small: (r) => r <= 1,
    // e^−750 and 2e^−750 are below 2⁻¹⁰⁸⁰, and the double-double system's `tiny` is larger still.
    vanishes: (m, r) => lead(m) + r < -750,
    saturates: (m, r) => Math.abs(lead(m)) - r > 375,
    isOne: (m) => lead(m) === 1,
    isZeroMid: (m) => lead(m) === 0,
    given: () => 0,
    error: { add, mul, div, exp, log, logAbsolute, tanh, tanhAbsolute: 0, two: 2, tiny },
  };
}

const below = (x: number): number => x - (Math.abs(x) * 2 * U + 2 ** -1074);

/** Exponential 2u + 2⁻¹⁰⁷⁵, logarithm 5u, tanh 20u: proved in spec/theory/Kernels.v. */
const FLOAT64_ERROR = {
  add: U,
  mul: U,
  div: U,
  exp: 3 * U,
  log: 6 * U,
  logAbsolute: 0,
  tanh: 24 * U,
  tiny: 2 ** -1073,
};

/** Balls over float64. */
export const float64Ball: NumberBallSystem<number> = {
  flat: (given) => given,
  arithmetic: ball(float64, {
    ...float64Radii((m: number) => m, Number.isFinite, FLOAT64_ERROR),
  }),
  ends: ({ mid, rad }) => {
    if (!Number.isFinite(mid) || !(rad < Number.POSITIVE_INFINITY)) return null;
    if (rad === 0) return { low: { near: mid, side: 0 }, high: { near: mid, side: 0 } };
    return {
      low: { near: below(mid - rad), side: 0 },
      high: { near: -below(-(mid + rad)), side: 0 },
    };
  },
};

/** Balls over double-double. */
export const doubleDoubleBall: NumberBallSystem<DoubleDouble> = {
  flat: ({ mid: { hi, lo }, rad }) => ({
    mid: hi,
    // A low word that is no number has left float64 together with the high one.
    rad: lo === 0 ? rad : Number.isFinite(lo) ? up(Math.abs(lo) + rad) : Number.POSITIVE_INFINITY,
  }),
  arithmetic: ball(doubleDouble, {
    ...float64Radii(
      ({ hi }: DoubleDouble) => hi,
      ({ hi, lo }) => Number.isFinite(hi + lo),
      DOUBLE_DOUBLE_ERROR,
    ),
    isOne: ({ hi, lo }: DoubleDouble) => hi === 1 && lo === 0,
  }),
  ends: ({ mid, rad }) => {
    if (!Number.isFinite(mid.hi + mid.lo) || !(rad < Number.POSITIVE_INFINITY)) return null;
    const end = ({ hi, lo }: DoubleDouble): End => ({ near: hi, side: Math.sign(lo) });
    if (rad === 0) return { low: end(mid), high: end(mid) };
    // DWPlusFP is off by 2u² of its result, at most 2u²(|mid| + rad): taken in by the slack.
    const wide = up(up(rad) + (Math.abs(mid.hi) * 2 ** -103 + 2 ** -1070));
    const [low, high] = [end(addNumber(mid, -wide)), end(addNumber(mid, wide))];
    // Beyond float64 the low words are no numbers, and the high ones may not be either.
    return Number.isFinite(low.near) && Number.isFinite(high.near) ? { low, high } : null;
  },
};

const Up = Decimal.clone({ precision: 12, rounding: Decimal.ROUND_UP });
const Down = Decimal.clone({ precision: 12, rounding: Decimal.ROUND_DOWN });
const NONE = new Up(0);
const INFINITE = new Up(Number.POSITIVE_INFINITY);
/**
 * e^x below this x is taken for zero; what that costs is `tiny`, as e^{−100 000} < 10^{−43 400}, with
 * room for the rounding of a sum that is compared with it.
 */
const EXP_LEAST = -100_000;

function decimalRadii(digits: number): Radii<Decimal, Decimal> {
  // Correct rounding is half a unit in the last of `digits` digits; one whole unit, and two for
  // exp and ln, are taken.
  const unit = new Up(`1e${1 - digits}`);
  const two = unit.times(2);
  return {
    zero: NONE,
    infinite: INFINITE,
    size: (m) => (m.isFinite() ? new Up(m.abs()).plus(NONE) : INFINITE),
    gap: (m, r) => {
      const difference = new Down(m.abs()).plus(0).minus(r);
      return difference.isPositive() ? new Up(difference) : NONE;
    },
    add: (a, b) => a.plus(b),
    mul: (a, b) => (a.isZero() || b.isZero() ? NONE : a.times(b)),
    div: (a, b) => (b.isZero() ? INFINITE : a.dividedBy(b)),
    min: (a, b) => (a.lessThan(b) ? a : b),
    isZero: (r) => r.isZero(),
    small: (r) => r.lessThanOrEqualTo(1),
    vanishes: (m, r) => m.isFinite() && m.plus(r).lessThan(EXP_LEAST),
    saturates: (m, r) =>
      m.isFinite() &&
      m
        .abs()
        .minus(r)
        .greaterThan(-EXP_LEAST / 2),
    isOne: (m) => m.equals(1),
    isZeroMid: (m) => m.isZero(),
    given: (value, m) => (m.equals(exact(value)) ? NONE : new Up(m.abs()).times(unit)),
    error: {
      add: unit,
      mul: unit,
      div: unit,
      exp: two,
      log: two,
      logAbsolute: NONE,
      tanh: NONE,
      // (1 − e)/(1 + e) with e ≤ 1 off by 2 units: 3 units above, 3 relative below, 1 to divide.
      tanhAbsolute: unit.times(8),
      two: new Up(2),
      tiny: new Up('1e-43000'),
    },
  };
}

const exact = (value: number): Decimal => new Decimal(exactDecimal(value));

function decimalEnd(value: Decimal): End {
  const near = value.toNumber();
  return { near, side: Number.isFinite(near) ? value.comparedTo(exact(near)) : 0 };
}

/** Forward and backward ask for the same exponentials, up to three times, and read inputs anew. */
function remembered<K, A, T>(f: (a: A) => T, key: (a: A) => K, limit: number): (a: A) => T {
  const known = new Map<K, T>();
  return (a) => {
    const at = key(a);
    const found = known.get(at);
    if (found !== undefined) return found;
    if (known.size >= limit) known.clear();
    const value = f(a);
    known.set(at, value);
    return value;
  };
}
const REMEMBERED = 4096;

/** Balls over decimals of so many digits. */
export function bigBall(digits: number): BallSystem<Decimal, Decimal> {
  const system = big(digits) as unknown as Arithmetic<Decimal>;
  const text = (x: Decimal): string => x.toString();
  const exp = remembered(system.exp, text, REMEMBERED);
  const tanh = remembered(system.tanh, text, REMEMBERED);
  const precision = digits + 16;
  const Floor = Decimal.clone({ precision, rounding: Decimal.ROUND_FLOOR });
  const Ceiling = Decimal.clone({ precision, rounding: Decimal.ROUND_CEIL });
  const arithmetic = ball({ ...system, exp, tanh }, decimalRadii(digits));
  const fromNumber = remembered(arithmetic.fromNumber, (value) => value, REMEMBERED);
  return {
    arithmetic: { ...arithmetic, fromNumber },
    ends: ({ mid, rad }) => {
      if (!mid.isFinite() || !rad.isFinite()) return null;
      return {
        low: decimalEnd(new Floor(mid).minus(rad)),
        high: decimalEnd(new Ceiling(mid).plus(rad)),
      };
    },
  };
}
