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
import type { Arithmetic } from './arithmetic.ts';
import { bitsOf, type Ratio, ratio } from './ratio.ts';

/** Σ c·e^q: coefficients by the number that `Exponents` gives q; no coefficient is zero. */
type Sum = ReadonlyMap<number, Ratio>;

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
  limit: number;
}

/** Numbers the exponents that occur: an exponent of thousands of bits is added and looked up once. */
class Exponents {
  readonly #numbers = new Map<string, number>();
  readonly #list: Ratio[] = [];
  readonly #bits: number[] = [];
  readonly #sums = new Map<number, number>();

  constructor() {
    this.numberOf(ratio.zero);
  }
  numberOf(q: Ratio): number {
    const key = ratio.key(q);
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#list.push(q);
    this.#bits.push(4 * key.length);
    this.#numbers.set(key, this.#list.length - 1);
    return this.#list.length - 1;
  }
  at(number: number): Ratio {
    return this.#list[number] ?? ratio.zero;
  }
  bits(number: number): number {
    return this.#bits[number] ?? 0;
  }
  /** The number of the sum of two. */
  sum(a: number, b: number): number {
    if (a === 0 || b === 0) return a + b;
    const pair = Math.min(a, b) * 2 ** 26 + Math.max(a, b);
    const known = this.#sums.get(pair);
    if (known !== undefined) return known;
    const sum = this.numberOf(ratio.add(this.at(a), this.at(b)));
    this.#sums.set(pair, sum);
    return sum;
  }
}

const ZERO: Sum = new Map();
/** Exponent 0 has the number 0. */
const constant = (c: Ratio): Sum => (ratio.isZero(c) ? ZERO : new Map([[0, c]]));
const ONE = constant(ratio.one);

/** Nothing is known: the one value without a denominator. */
const UNHELD: ExponentialSum = { over: ZERO, under: ZERO };
const held = ({ under }: ExponentialSum): boolean => under.size > 0;

function plus(a: Sum, b: Sum): Sum {
  const sum = new Map(a);
  for (const [q, c] of b) {
    const total = ratio.add(c, sum.get(q) ?? ratio.zero);
    if (ratio.isZero(total)) sum.delete(q);
    else sum.set(q, total);
  }
  return sum;
}

const isCoefficient = (a: Ratio | undefined, b: Ratio): boolean =>
  a !== undefined && ratio.equals(a, b);

function sameSum(a: Sum, b: Sum): boolean {
  if (a === b) return true;
  return a.size === b.size && [...a].every(([q, c]) => isCoefficient(b.get(q), c));
}

function ratioOf({ over, under }: ExponentialSum): Ratio | null {
  const [entry] = under;
  if (entry === undefined) return null;
  if (over.size === 0) return ratio.zero;
  const [q, c] = entry;
  const top = over.get(q);
  if (top === undefined || over.size !== under.size) return null;
  const common = ratio.mul(top, ratio.inverse(c));
  const proportional = [...under].every(([r, d]) =>
    isCoefficient(over.get(r), ratio.mul(d, common)),
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

/** Products and quotients of sums, at the meter's expense. */
function products(meter: Meter, exponents: Exponents) {
  const words = (a: Sum): number => {
    let sum = 0;
    for (const [q, c] of a) sum += Math.ceil((exponents.bits(q) + bitsOf(c)) / 64);
    return sum;
  };
  const charge = (a: Sum, b: Sum): void => {
    meter.spent += words(a) * words(b);
    if (meter.spent > meter.limit) throw new OutOfWork('exact sums expected less work');
  };
  const times = (a: Sum, b: Sum): Sum | null => {
    if (a === ONE) return b;
    if (b === ONE) return a;
    if (a.size * b.size > TERMS_LIMIT) return null;
    charge(a, b);
    const product = new Map<number, Ratio>();
    for (const [p, x] of a) {
      for (const [r, y] of b) {
        const q = exponents.sum(p, r);
        const c = ratio.add(ratio.mul(x, y), product.get(q) ?? ratio.zero);
        if (ratio.isZero(c)) product.delete(q);
        else product.set(q, c);
      }
    }
    return product;
  };
  /** A quotient in which a rational has the denominator 1, and one term is divided out. */
  const quotient = (over: Sum | null, under: Sum | null): ExponentialSum => {
    if (over === null || under === null) return UNHELD;
    if (over.size === 0) return NOTHING;
    if (under === ONE) return { over, under };
    const [first] = under;
    if (under.size !== 1 || first === undefined) {
      const whole = ratioOf({ over, under });
      return whole === null ? { over, under } : made(whole);
    }
    const q = exponents.numberOf(ratio.neg(exponents.at(first[0])));
    const whole = times(over, new Map([[q, ratio.inverse(first[1])]]));
    return whole === null ? UNHELD : { over: whole, under: ONE };
  };
  return { times, quotient };
}

function field(meter: Meter, exponents: Exponents) {
  const { times, quotient } = products(meter, exponents);
  const add = (a: ExponentialSum, b: ExponentialSum): ExponentialSum => {
    if (!held(a) || !held(b)) return UNHELD;
    if (isZero(a)) return b;
    if (isZero(b)) return a;
    if (sameSum(a.under, b.under)) return quotient(plus(a.over, b.over), a.under);
    const [left, right] = [times(a.over, b.under), times(b.over, a.under)];
    return left === null || right === null
      ? UNHELD
      : quotient(plus(left, right), times(a.under, b.under));
  };
  const mul = (a: ExponentialSum, b: ExponentialSum): ExponentialSum => {
    if (isZero(a) || isZero(b)) return NOTHING;
    if (!held(a) || !held(b)) return UNHELD;
    return quotient(times(a.over, b.over), times(a.under, b.under));
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
  const exponents = new Exponents();
  const { add, mul, div, neg } = field(meter, exponents);
  const exp = (x: ExponentialSum): ExponentialSum => {
    const q = ratioOf(x);
    return q === null
      ? UNHELD
      : { over: new Map([[exponents.numberOf(q), ratio.one]]), under: ONE };
  };
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
export const exponentialSums = (): Arithmetic<ExponentialSum> =>
  exponentialSumsWithin({ spent: 0, limit: Number.POSITIVE_INFINITY });
