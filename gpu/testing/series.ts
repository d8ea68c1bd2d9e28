/**
 * Power series c₀ + c₁ε + … over exact numbers, cut off at a power of ε: a number system.
 *
 * e^x, tanh, roots and quotients of a series are series: none of them is replaced by a stand-in, and
 * every coefficient is exact. Over the rationals e^x asks for c₀ = 0 and √x for c₀ a square, so
 * whoever scales what enters an exponential by ε has softmax, gates and norms without any rounding,
 * and equalities between them are tested with zero tolerance, coefficient by coefficient. With ε² = 0
 * the coefficient of ε is the derivative in a direction: gradients are tested exactly too.
 * @module
 */
import { type Fraction, fraction } from 'mathjs';
import type { Arithmetic } from '../../reference/numbers/arithmetic.ts';
import { rational } from '../../reference/numbers/rational.ts';

/** An arithmetic with square roots. */
export interface Roots<T> extends Arithmetic<T> {
  readonly sqrt: (x: T) => T;
}

/** Coefficients by rising powers of ε, trailing zeros left out. */
export type Series<T> = readonly T[];

function integerRoot(n: bigint): bigint {
  let root = BigInt(Math.round(Math.sqrt(Number(n))));
  while (root * root > n) root--;
  while ((root + 1n) * (root + 1n) <= n) root++;
  if (root * root !== n) throw new RangeError(`"x" of √x expected a square, got ${n}`);
  return root;
}

const onlyAt = (name: string, place: Fraction, value: Fraction) => (x: Fraction) => {
  if (rational.compare(x, place) === 0) return value;
  throw new RangeError(`"x" of ${name} expected ${place.toFraction()}, got ${x.toFraction()}`);
};

/** Rationals with base e where that is rational: e⁰ = 1, ln 1 = 0, tanh 0 = 0, roots of squares. */
export const constants: Roots<Fraction> = {
  ...rational,
  name: 'constants',
  exp: onlyAt('e^x', rational.zero, rational.one),
  log: onlyAt('ln x', rational.one, rational.zero),
  tanh: onlyAt('tanh x', rational.zero, rational.zero),
  sqrt: (x) => {
    if (x.s < 0n) throw new RangeError(`"x" of √x expected at least 0, got ${x.toFraction()}`);
    return fraction(integerRoot(x.n), integerRoot(x.d));
  },
};

/** The functions of a series ring, from the ring itself and those of its constants. */
function functionsOf<T>(base: Roots<T>, order: number, ring: Ring<Series<T>>) {
  const { add, sub, mul, div, one } = ring;
  const constant = (a: Series<T>): T => a[0] ?? base.zero;
  const rest = (a: Series<T>): Series<T> => sub(a, [constant(a)]);
  const exp = (a: Series<T>): Series<T> => {
    const u = rest(a);
    let [sum, term] = [one, one];
    for (let n = 1; n < order; n++) {
      term = div(mul(term, u), [base.fromNumber(n)]);
      sum = add(sum, term);
    }
    return mul([base.exp(constant(a))], sum);
  };
  /** ln(c₀(1 + u)) = ln c₀ + u − u²/2 + … */
  const log = (a: Series<T>): Series<T> => {
    const u = div(rest(a), [constant(a)]);
    let [sum, power]: [Series<T>, Series<T>] = [[base.log(constant(a))], one];
    for (let n = 1; n < order; n++) {
      power = mul(power, u);
      const term = div(power, [base.fromNumber(n)]);
      sum = n % 2 === 1 ? add(sum, term) : sub(sum, term);
    }
    return sum;
  };
  const tanh = (a: Series<T>): Series<T> => {
    const e = exp(add(a, a));
    return div(sub(e, one), add(e, one));
  };
  /** Newton's steps from √c₀, each of which doubles the powers that are right. */
  const sqrt = (a: Series<T>): Series<T> => {
    let root: Series<T> = [base.sqrt(constant(a))];
    for (let right = 1; right < order; right *= 2) {
      root = div(add(root, div(a, root)), [base.fromNumber(2)]);
    }
    return root;
  };
  return { exp, log, tanh, sqrt };
}

interface Ring<S> {
  readonly one: S;
  readonly add: (a: S, b: S) => S;
  readonly sub: (a: S, b: S) => S;
  readonly mul: (a: S, b: S) => S;
  readonly div: (a: S, b: S) => S;
}

/** Series up to before ε^order over exact numbers. Compared by their first coefficient that differs. */
export function seriesOver<T>(base: Roots<T>, order: number): Roots<Series<T>> {
  const { zero } = base;
  const isZero = (x: T): boolean => base.compare(x, zero) === 0;
  const trimmed = (a: T[]): Series<T> => {
    let length = Math.min(a.length, order);
    while (length > 0 && isZero(a[length - 1] ?? zero)) length--;
    return a.slice(0, length);
  };
  const zip = (a: Series<T>, b: Series<T>, f: (x: T, y: T) => T): Series<T> =>
    trimmed(
      Array.from({ length: Math.max(a.length, b.length) }, (_, n) => f(a[n] ?? zero, b[n] ?? zero)),
    );
  const mul = (a: Series<T>, b: Series<T>): Series<T> => {
    const out = new Array<T>(Math.min(order, Math.max(0, a.length + b.length - 1))).fill(zero);
    for (const [i, x] of a.entries()) {
      if (isZero(x)) continue;
      for (let j = 0; j < b.length && i + j < order; j++) {
        const y = b[j] ?? zero;
        if (!isZero(y)) out[i + j] = base.add(out[i + j] ?? zero, base.mul(x, y));
      }
    }
    return trimmed(out);
  };
  /** b·q = a, power after power. */
  const div = (a: Series<T>, b: Series<T>): Series<T> => {
    const q: T[] = [];
    for (let n = 0; n < order; n++) {
      let left = a[n] ?? zero;
      for (let i = 1; i <= n && i < b.length; i++) {
        left = base.sub(left, base.mul(b[i] ?? zero, q[n - i] ?? zero));
      }
      q.push(isZero(left) ? zero : base.div(left, b[0] ?? zero));
    }
    return trimmed(q);
  };
  const add = (a: Series<T>, b: Series<T>) => zip(a, b, base.add);
  const sub = (a: Series<T>, b: Series<T>) => zip(a, b, base.sub);
  const one: Series<T> = [base.one];
  return {
    name: 'series',
    zero: [],
    one,
    fromNumber: (value) => trimmed([base.fromNumber(value)]),
    toNumber: (a) => base.toNumber(a[0] ?? zero),
    ...{ add, sub, mul, div },
    neg: (a) => a.map(base.neg),
    compare: (a, b) => {
      for (let n = 0; n < order; n++) {
        const sign = base.compare(a[n] ?? zero, b[n] ?? zero);
        if (sign !== 0) return sign;
      }
      return 0;
    },
    ...functionsOf(base, order, { one, add, sub, mul, div }),
  };
}
