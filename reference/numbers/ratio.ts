/**
 * Exact rationals as n/d·2^e with n and d odd, over BigInt.
 *
 * mathjs Fractions find a greatest common divisor after every operation, in numbers of thousands of
 * bits where inputs differ by 10^300. Everything that floating-point inputs make without a division
 * has the denominator 1 here, and the power of two costs nothing.
 * @module
 */
import type { Fraction } from 'mathjs';
import { decompose } from './decompose.ts';
import { mathjs } from './mathjs.ts';

/** In lowest terms: one number has one form. Zero is 0/1·2^0. */
export interface Ratio {
  readonly n: bigint;
  readonly d: bigint;
  readonly e: number;
}

/** Zeros at the end of a positive integer's bits. */
function trailingZeros(n: bigint): number {
  for (let zeros = 0; ; zeros += 64) {
    const low = BigInt.asUintN(64, n >> BigInt(zeros));
    if (low === 0n) continue;
    const [right, left] = [Number(low & 0xffffffffn), Number(low >> 32n)];
    const word = right === 0 ? left : right;
    return zeros + (right === 0 ? 32 : 0) + 31 - Math.clz32(word & -word);
  }
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

/** n/d·2^e in lowest terms, for odd d > 0. */
function reduced(n: bigint, d: bigint, e: number): Ratio {
  if (n === 0n) return ZERO;
  const zeros = (n & 1n) === 1n ? 0 : trailingZeros(n < 0n ? -n : n);
  const odd = zeros === 0 ? n : n >> BigInt(zeros);
  if (d === 1n) return { n: odd, d, e: e + zeros };
  const common = greatestCommonDivisor(odd, d);
  return { n: odd / common, d: d / common, e: e + zeros };
}

const ZERO: Ratio = { n: 0n, d: 1n, e: 0 };

/** Bits of numerator and denominator, roughly: what an operation on it costs grows with them. */
export const bitsOf = ({ n, d }: Ratio): number =>
  4 * ((n < 0n ? -n : n).toString(16).length + (d === 1n ? 0 : d.toString(16).length));

function add(a: Ratio, b: Ratio): Ratio {
  if (a.n === 0n) return b;
  if (b.n === 0n) return a;
  const e = Math.min(a.e, b.e);
  const [x, y] = [a.n << BigInt(a.e - e), b.n << BigInt(b.e - e)];
  return a.d === b.d ? reduced(x + y, a.d, e) : reduced(x * b.d + y * a.d, a.d * b.d, e);
}

function inverse({ n, d, e }: Ratio): Ratio {
  if (n === 0n) throw new RangeError('"b" of a/b expected a number but 0, got 0');
  return n > 0n ? { n: d, d: n, e: -e } : { n: -d, d: -n, e: -e };
}

export const ratio = {
  zero: ZERO,
  one: { n: 1n, d: 1n, e: 0 } as Ratio,
  fromNumber(value: number): Ratio {
    const { significand, exponent } = decompose(value);
    return reduced(significand, 1n, exponent);
  },
  add,
  mul: (a: Ratio, b: Ratio): Ratio => reduced(a.n * b.n, a.d * b.d, a.e + b.e),
  neg: ({ n, d, e }: Ratio): Ratio => ({ n: -n, d, e }),
  inverse,
  isZero: ({ n }: Ratio): boolean => n === 0n,
  equals: (a: Ratio, b: Ratio): boolean => a.e === b.e && a.n === b.n && a.d === b.d,
  /** The sign of a − b. */
  compare: (a: Ratio, b: Ratio): number => {
    const { n } = add(a, { n: -b.n, d: b.d, e: b.e });
    return n > 0n ? 1 : n < 0n ? -1 : 0;
  },
  /** A text of its own for each number. */
  key: ({ n, d, e }: Ratio): string => `${n.toString(32)}/${d.toString(32)}*${e}`,
  toFraction: ({ n, d, e }: Ratio): Fraction => {
    const { fraction } = mathjs();
    return e >= 0 ? fraction(n << BigInt(e), d) : fraction(n, d << BigInt(-e));
  },
};
