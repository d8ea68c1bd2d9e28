/**
 * Binary numbers rounded to a format, from the formats' own definitions: what the exact evaluation
 * expects of a rounding, with no code of format.ts in it.
 * @module
 */
import type { FormatName } from '../numbers/format.ts';
import { type Binary, top } from './binary.ts';

/** Bits of the significand, exponent of the smallest normal number, largest number. */
const FIELDS: Partial<Record<FormatName, readonly [p: number, emin: number, max: number]>> = {
  f64: [53, -1022, Number.MAX_VALUE],
  f32: [24, -126, 2 ** 128 - 2 ** 104],
  f16: [11, -14, 65504],
  bf16: [8, -126, 2 ** 128 - 2 ** 120],
  'fp8-e4m3': [4, -6, 448],
  'fp8-e5m2': [3, -14, 57344],
};

/** Overflow is an infinity; in fp8-e4m3, which has none, NaN. */
export function overflowOf(format: FormatName, sign: number): number {
  return format === 'fp8-e4m3' ? Number.NaN : sign * Number.POSITIVE_INFINITY;
}

/** To nearest, ties to even; zero is +0. */
export function rounded(format: FormatName, x: Binary): number {
  const fields = FIELDS[format];
  if (fields === undefined) throw new RangeError(`"format" expected a storage format: ${format}`);
  const [p, emin, max] = fields;
  if (x.m === 0n) return 0;
  const [sign, m] = x.m < 0n ? [-1, -x.m] : [1, x.m];
  const exponent = top(x) - 1;
  if (exponent > 1100) return overflowOf(format, sign);
  const quantum = Math.max(exponent, emin) - p + 1;
  const k = quantum - x.e;
  if (k > top(x) - x.e + 1) return 0;
  let n = k <= 0 ? m << BigInt(-k) : m >> BigInt(k);
  if (k > 0) {
    const [rest, tie] = [m - (n << BigInt(k)), 1n << BigInt(k - 1)];
    if (rest > tie || (rest === tie && (n & 1n) === 1n)) n++;
  }
  const value = Number(n) * 2 ** quantum;
  if (value === 0) return 0;
  return value > max ? overflowOf(format, sign) : sign * value;
}
