/**
 * Decimal arithmetic at a chosen number of digits (mathjs BigNumber, that is decimal.js).
 *
 * decimal.js rounds + − × ÷ exp and ln correctly at its precision. Slow; the last word.
 * @module
 */
import type { BigNumber } from 'mathjs';
import type { Arithmetic } from './arithmetic.ts';
import { decompose } from './decompose.ts';
import { mathjs } from './mathjs.ts';

/** A finite double as a decimal string, every digit of it. */
export function exactDecimal(value: number): string {
  const { significand, exponent } = decompose(value);
  if (exponent >= 0) return (significand << BigInt(exponent)).toString();
  // s·2^−k = s·5^k·10^−k
  return `${significand * 5n ** BigInt(-exponent)}e${exponent}`;
}

/** Decimal arithmetic with `digits` significant digits. */
export function big(digits: number): Arithmetic<BigNumber> {
  if (!Number.isInteger(digits) || digits < 1) {
    throw new RangeError(`"digits" expected a positive integer, got ${digits}`);
  }
  const { all, create } = mathjs();
  if (all === undefined) throw new Error('mathjs exports no factory functions');
  const math = create(all, { number: 'BigNumber', precision: digits });
  const make = (value: number | string): BigNumber => math.bignumber(value);
  const one = make(1);
  return {
    name: `big${digits}`,
    zero: make(0),
    one,
    // Not make(value): decimal.js reads a double by its shortest decimal, not by its exact value.
    fromNumber: (value) => make(exactDecimal(value)).plus(0),
    toNumber: (value) => value.toNumber(),
    add: (a, b) => a.plus(b),
    sub: (a, b) => a.minus(b),
    mul: (a, b) => a.times(b),
    div: (a, b) => a.dividedBy(b),
    neg: (a) => a.negated(),
    compare: (a, b) => a.comparedTo(b),
    exp: (x) => x.exp(),
    log: (x) => x.ln(),
    // (1 − e^{−2|x|})/(1 + e^{−2|x|}): never overflows. Cancels digits below 10^-digits/2 only.
    tanh: (x) => {
      const e = x.abs().times(-2).exp();
      const magnitude = one.minus(e).dividedBy(one.plus(e));
      return x.isNegative() ? magnitude.negated() : magnitude;
    },
  };
}
