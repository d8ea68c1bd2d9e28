/**
 * Quotients of sums of c·e^q with rational c and q: exact, for deciding which answers are rational.
 *
 * By the theorem of Lindemann and Weierstrass the e^q of distinct rational q are linearly
 * independent over the rationals. So N/D, both such sums, is the rational r exactly when N − rD
 * vanishes term by term, and `rationalValue` decides it: it is never fooled, and misses nothing but
 * what this system does not hold. What it does not hold (a logarithm of anything but 1, e to an
 * irrational power, sums of too many terms) is `UNHELD`, and whatever is made from it is unheld too,
 * save that zero times it is zero.
 * @module
 */
import type { Fraction } from 'mathjs';
import type { Arithmetic } from '../arithmetic.ts';
import { bitsOf, type Ratio, ratio } from './ratio.ts';

/** Σ c·e^q: coefficients by exponent, keyed by the exponent's text; no coefficient is zero. */
type Sum = ReadonlyMap<string, { readonly q: Ratio; readonly c: Ratio }>;

/** Numerator over denominator. */
export interface ExponentialSum {
  readonly over: Sum;
  readonly under: Sum;
}

/** Quotients of rows multiply their denominators; past this many terms a value is given up. */
const TERMS_LIMIT = 4096;

/** Thrown when more work is asked for than was granted. */
export class OutOfWork extends Error {
  override readonly name = 'OutOfWork';
}

/** Counts work, in products of 64-bit words, and throws OutOfWork past the limit. */
export interface Meter {
  spent: number;
  readonly limit: number;
}

function charge(meter: Meter, a: Ratio, b: Ratio): void {
  meter.spent += 1 + (bitsOf(a) / 64) * (bitsOf(b) / 64);
  if (meter.spent > meter.limit) throw new OutOfWork('exact sums expected less work');
}

const ZERO: Sum = new Map();
const constant = (c: Ratio): Sum =>
  ratio.isZero(c) ? ZERO : new Map([[ratio.key(ratio.zero), { q: ratio.zero, c }]]);
const ONE = constant(ratio.one);

/** Nothing is known: the one value without a denominator. */
const UNHELD: ExponentialSum = { over: ZERO, under: ZERO };
const held = ({ under }: ExponentialSum): boolean => under.size > 0;

function plus(a: Sum, b: Sum): Sum {
  const sum = new Map(a);
  for (const [key, { q, c }] of b) {
    const total = ratio.add(c, sum.get(key)?.c ?? ratio.zero);
    if (ratio.isZero(total)) sum.delete(key);
    else sum.set(key, { q, c: total });
  }
  return sum;
}

function times(meter: Meter, a: Sum, b: Sum): Sum | null {
  if (a === ONE) return b;
  if (b === ONE) return a;
  if (a.size * b.size > TERMS_LIMIT) return null;
  const product = new Map<string, { q: Ratio; c: Ratio }>();
  for (const x of a.values()) {
    for (const y of b.values()) {
      charge(meter, x.c, y.c);
      const q = ratio.add(x.q, y.q);
      const key = ratio.key(q);
      const c = ratio.add(ratio.mul(x.c, y.c), product.get(key)?.c ?? ratio.zero);
      if (ratio.isZero(c)) product.delete(key);
      else product.set(key, { q, c });
    }
  }
  return product;
}

function sameSum(a: Sum, b: Sum): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  return [...a].every(([key, { c }]) => isCoefficient(b.get(key)?.c, c));
}

const isCoefficient = (a: Ratio | undefined, b: Ratio): boolean =>
  a !== undefined && ratio.equals(a, b);

/** A quotient in which a rational has the denominator 1, and one term is divided out. */
function quotient(meter: Meter, over: Sum | null, under: Sum | null): ExponentialSum {
  if (over === null || under === null) return UNHELD;
  if (over.size === 0) return { over: ZERO, under: ONE };
  if (under === ONE) return { over, under };
  const [first] = under.values();
  if (under.size !== 1 || first === undefined) {
    const whole = ratioOf({ over, under });
    return whole === null ? { over, under } : made(whole);
  }
  const q = ratio.neg(first.q);
  const inverse = new Map([[ratio.key(q), { q, c: ratio.inverse(first.c) }]]);
  const whole = times(meter, over, inverse);
  return whole === null ? UNHELD : { over: whole, under: ONE };
}

function ratioOf(value: ExponentialSum): Ratio | null {
  if (!held(value)) return null;
  const { over, under } = value;
  if (over.size === 0) return ratio.zero;
  const [entry] = under;
  const top = entry === undefined ? undefined : over.get(entry[0]);
  if (entry === undefined || top === undefined || over.size !== under.size) return null;
  const common = ratio.mul(top.c, ratio.inverse(entry[1].c));
  const proportional = [...under].every(([key, { c }]) =>
    isCoefficient(over.get(key)?.c, ratio.mul(c, common)),
  );
  return proportional ? common : null;
}

/** The rational number that a value is, or null when it is none or not held. */
export function rationalValue(value: ExponentialSum): Fraction | null {
  const found = ratioOf(value);
  return found === null ? null : ratio.toFraction(found);
}

const made = (c: Ratio): ExponentialSum => ({ over: constant(c), under: ONE });
const isZero = (a: ExponentialSum): boolean => held(a) && a.over.size === 0;
const NOTHING = made(ratio.zero);
const UNIT = made(ratio.one);
const MINUS = made(ratio.neg(ratio.one));

function exp(x: ExponentialSum): ExponentialSum {
  const q = ratioOf(x);
  if (q === null) return UNHELD;
  return { over: new Map([[ratio.key(q), { q, c: ratio.one }]]), under: ONE };
}

function field(meter: Meter) {
  const add = (a: ExponentialSum, b: ExponentialSum): ExponentialSum => {
    if (!held(a) || !held(b)) return UNHELD;
    if (isZero(a)) return b;
    if (isZero(b)) return a;
    if (sameSum(a.under, b.under)) return quotient(meter, plus(a.over, b.over), a.under);
    const [left, right] = [times(meter, a.over, b.under), times(meter, b.over, a.under)];
    return left === null || right === null
      ? UNHELD
      : quotient(meter, plus(left, right), times(meter, a.under, b.under));
  };
  const mul = (a: ExponentialSum, b: ExponentialSum): ExponentialSum => {
    if (isZero(a) || isZero(b)) return NOTHING;
    if (!held(a) || !held(b)) return UNHELD;
    return quotient(meter, times(meter, a.over, b.over), times(meter, a.under, b.under));
  };
  const div = (a: ExponentialSum, b: ExponentialSum): ExponentialSum => {
    if (!held(b) || isZero(b)) return UNHELD;
    return mul(a, { over: b.under, under: b.over });
  };
  return { add, mul, div, neg: (a: ExponentialSum) => mul(a, MINUS) };
}

/**
 * The number system, at no more than the meter's limit of work. `compare` is 0 where either side is
 * not rational: the definition compares only to choose which score of a row is subtracted, and any
 * choice gives the same quotients.
 */
export function exponentialSumsWithin(meter: Meter): Arithmetic<ExponentialSum> {
  const { add, mul, div, neg } = field(meter);
  return {
    name: 'exponential sums',
    zero: NOTHING,
    one: UNIT,
    fromNumber: (value) => made(ratio.fromNumber(value)),
    toNumber: (value) => rationalValue(value)?.valueOf() ?? Number.NaN,
    add,
    sub: (a, b) => add(a, neg(b)),
    mul,
    div,
    neg,
    compare: (a, b) => {
      const [x, y] = [ratioOf(a), ratioOf(b)];
      return x === null || y === null ? 0 : ratio.compare(x, y);
    },
    exp,
    log: (x) => {
      const value = ratioOf(x);
      return value !== null && ratio.equals(value, ratio.one) ? NOTHING : UNHELD;
    },
    // tanh x = (e^2x − 1)/(e^2x + 1)
    tanh: (x) => {
      const e = exp(add(x, x));
      return div(add(e, MINUS), add(e, UNIT));
    },
  };
}

/** Without a limit. */
export const exponentialSums = exponentialSumsWithin({
  spent: 0,
  limit: Number.POSITIVE_INFINITY,
});
