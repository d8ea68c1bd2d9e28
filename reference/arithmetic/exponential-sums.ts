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
import { type Fraction, fraction } from 'mathjs';
import type { Arithmetic } from '../arithmetic.ts';
import { rational } from './rational.ts';

/** Σ c·e^q: coefficients by exponent, keyed by the exponent's text; no coefficient is zero. */
type Sum = ReadonlyMap<string, { readonly q: Fraction; readonly c: Fraction }>;

/** Numerator over denominator. */
export interface ExponentialSum {
  readonly over: Sum;
  readonly under: Sum;
}

/** Quotients of rows multiply their denominators; past this many terms a value is given up. */
const TERMS_LIMIT = 4096;

const ZERO: Sum = new Map();
const constant = (c: Fraction): Sum =>
  c.n === 0n ? ZERO : new Map([['0', { q: fraction(0), c }]]);
const ONE = constant(fraction(1));

/** Nothing is known: the one value without a denominator. */
const UNHELD: ExponentialSum = { over: ZERO, under: ZERO };
const held = ({ under }: ExponentialSum): boolean => under.size > 0;

function plus(a: Sum, b: Sum): Sum {
  const sum = new Map(a);
  for (const [key, { q, c }] of b) {
    const total = c.add(sum.get(key)?.c ?? fraction(0));
    if (total.n === 0n) sum.delete(key);
    else sum.set(key, { q, c: total });
  }
  return sum;
}

function times(a: Sum, b: Sum): Sum | null {
  if (a === ONE) return b;
  if (b === ONE) return a;
  if (a.size * b.size > TERMS_LIMIT) return null;
  const product = new Map<string, { q: Fraction; c: Fraction }>();
  for (const x of a.values()) {
    for (const y of b.values()) {
      const q = x.q.add(y.q);
      const key = q.toFraction();
      const c = x.c.mul(y.c).add(product.get(key)?.c ?? fraction(0));
      if (c.n === 0n) product.delete(key);
      else product.set(key, { q, c });
    }
  }
  return product;
}

function sameSum(a: Sum, b: Sum): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  return [...a].every(([key, { c }]) => b.get(key)?.c.equals(c) === true);
}

/** A quotient in which a rational has the denominator 1, and one term is divided out. */
function quotient(over: Sum | null, under: Sum | null): ExponentialSum {
  if (over === null || under === null) return UNHELD;
  if (over.size === 0) return { over: ZERO, under: ONE };
  const [first] = under.values();
  if (under.size !== 1 || first === undefined) {
    const whole = rationalValue({ over, under });
    return whole === null ? { over, under } : made(whole);
  }
  const inverse = new Map([
    [first.q.neg().toFraction(), { q: first.q.neg(), c: first.c.inverse() }],
  ]);
  const whole = times(over, inverse);
  return whole === null ? UNHELD : { over: whole, under: ONE };
}

/** The rational number that a value is, or null when it is none or not held. */
export function rationalValue(value: ExponentialSum): Fraction | null {
  if (!held(value)) return null;
  const { over, under } = value;
  if (over.size === 0) return fraction(0);
  const [entry] = under;
  const top = entry === undefined ? undefined : over.get(entry[0]);
  if (entry === undefined || top === undefined || over.size !== under.size) return null;
  const ratio = top.c.div(entry[1].c);
  const proportional = [...under].every(
    ([key, { c }]) => over.get(key)?.c.equals(c.mul(ratio)) === true,
  );
  return proportional ? ratio : null;
}

const made = (c: Fraction): ExponentialSum => ({ over: constant(c), under: ONE });
const isZero = (a: ExponentialSum): boolean => held(a) && a.over.size === 0;

function add(a: ExponentialSum, b: ExponentialSum): ExponentialSum {
  if (!held(a) || !held(b)) return UNHELD;
  if (isZero(a)) return b;
  if (isZero(b)) return a;
  if (sameSum(a.under, b.under)) return quotient(plus(a.over, b.over), a.under);
  const [left, right] = [times(a.over, b.under), times(b.over, a.under)];
  return left === null || right === null
    ? UNHELD
    : quotient(plus(left, right), times(a.under, b.under));
}

function mul(a: ExponentialSum, b: ExponentialSum): ExponentialSum {
  if (isZero(a) || isZero(b)) return made(fraction(0));
  if (!held(a) || !held(b)) return UNHELD;
  return quotient(times(a.over, b.over), times(a.under, b.under));
}

function div(a: ExponentialSum, b: ExponentialSum): ExponentialSum {
  if (!held(b) || isZero(b)) return UNHELD;
  return mul(a, { over: b.under, under: b.over });
}

const neg = (a: ExponentialSum): ExponentialSum => mul(a, made(fraction(-1)));

function exp(x: ExponentialSum): ExponentialSum {
  const q = rationalValue(x);
  if (q === null) return UNHELD;
  return { over: new Map([[q.toFraction(), { q, c: fraction(1) }]]), under: ONE };
}

/**
 * The number system. `compare` is 0 where either side is not rational: the definition compares only
 * to choose which score of a row is subtracted, and any choice gives the same quotients.
 */
export const exponentialSums: Arithmetic<ExponentialSum> = {
  name: 'exponential sums',
  zero: made(fraction(0)),
  one: made(fraction(1)),
  fromNumber: (value) => made(rational.fromNumber(value)),
  toNumber: (value) => rationalValue(value)?.valueOf() ?? Number.NaN,
  add,
  sub: (a, b) => add(a, neg(b)),
  mul,
  div,
  neg,
  compare: (a, b) => {
    const [x, y] = [rationalValue(a), rationalValue(b)];
    return x === null || y === null ? 0 : rational.compare(x, y);
  },
  exp,
  log: (x) => (rationalValue(x)?.equals(1) === true ? made(fraction(0)) : UNHELD),
  // tanh x = (e^2x − 1)/(e^2x + 1)
  tanh: (x) => {
    const e = exp(add(x, x));
    const one = made(fraction(1));
    return div(add(e, neg(one)), add(e, one));
  },
};
