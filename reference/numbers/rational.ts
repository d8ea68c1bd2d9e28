/**
 * Exact rationals (mathjs Fraction over BigInt), with 2^x for the exponential.
 *
 * The algebra of attention holds for any exponential base, so with integer scores every softmax
 * value is a rational number and equalities are tested with zero tolerance. Gradients in this
 * system are the formulas of spec (10)-(18) as they stand, without a factor ln 2.
 * A quantity that is not rational is refused with a RangeError, never approximated.
 * @module
 */
import type { Fraction } from 'mathjs';
import type { Arithmetic } from './arithmetic.ts';
import { decompose } from './decompose.ts';
import { mathjs } from './mathjs.ts';

/** Exponents are capped so that a mistaken case cannot ask for gigabytes. */
const EXPONENT_LIMIT = 100_000n;

function ratio(numerator: bigint, denominator: bigint): Fraction {
  return mathjs().fraction(numerator, denominator);
}

function signed(value: Fraction): bigint {
  return value.s * value.n;
}

/** The rational that this finite double denotes, exactly. */
function fromNumber(value: number): Fraction {
  const { significand, exponent } = decompose(value);
  return exponent >= 0
    ? ratio(significand << BigInt(exponent), 1n)
    : ratio(significand, 1n << BigInt(-exponent));
}

function exp2(x: Fraction): Fraction {
  if (x.d !== 1n) throw new RangeError(`"x" of 2^x expected an integer, got ${x.toFraction()}`);
  if (x.n > EXPONENT_LIMIT) {
    throw new RangeError(`"x" of 2^x expected |x| ≤ ${EXPONENT_LIMIT}, got ${x.toFraction()}`);
  }
  return x.s < 0n ? ratio(1n, 1n << x.n) : ratio(1n << x.n, 1n);
}

function log2(x: Fraction): Fraction {
  const bits = (n: bigint) => n.toString(2).length - 1;
  const [up, down] = [bits(x.n), bits(x.d)];
  if (x.s <= 0n || x.n !== 1n << BigInt(up) || x.d !== 1n << BigInt(down)) {
    throw new RangeError(`"x" of log2 expected a power of two, got ${x.toFraction()}`);
  }
  return ratio(BigInt(up - down), 1n);
}

let [zero, one]: [Fraction?, Fraction?] = [];

/** Exact rationals as a number system; `exp` is 2^x, `log` its inverse. */
export const rational: Arithmetic<Fraction> = {
  name: 'rational',
  get zero() {
    zero ??= ratio(0n, 1n);
    return zero;
  },
  get one() {
    one ??= ratio(1n, 1n);
    return one;
  },
  fromNumber,
  toNumber: (value) => value.valueOf(),
  add: (a, b) => a.add(b),
  sub: (a, b) => a.sub(b),
  mul: (a, b) => a.mul(b),
  div: (a, b) => a.div(b),
  neg: (a) => a.neg(),
  compare: (a, b) => Number(signed(a) * b.d - signed(b) * a.d),
  exp: exp2,
  log: log2,
  tanh: () => {
    throw new RangeError('"softcap" expected 0 on rationals (tanh is not rational), got a softcap');
  },
};
