/**
 * The 8-bit formats of the Open Compute Project: bit patterns both ways.
 *
 * e4m3 (bias 7) has no infinity: exponent and fraction all ones is NaN, everything else a number.
 * e5m2 (bias 15) is a small IEEE format. Both have subnormals and signed zeros.
 * Source: OCP 8-bit Floating Point Specification (OFP8), revision 1.0, tables 1 and 2.
 * @module
 */
import { roundTo } from './format.ts';

export type Float8 = 'fp8-e4m3' | 'fp8-e5m2';

/** Bits of the fraction, and the exponent's bias. */
const FIELDS: Readonly<Record<Float8, readonly [fraction: number, bias: number]>> = {
  'fp8-e4m3': [3, 7],
  'fp8-e5m2': [2, 15],
};

/** Patterns from this one on (sign aside) are not finite numbers. */
const FIRST_SPECIAL: Readonly<Record<Float8, number>> = { 'fp8-e4m3': 0x7f, 'fp8-e5m2': 0x7c };

/** The number that a pattern denotes; every NaN pattern is NaN. */
export function decode8(format: Float8, pattern: number): number {
  const [fractionBits, bias] = FIELDS[format];
  const sign = pattern & 0x80 ? -1 : 1;
  const magnitude = pattern & 0x7f;
  if (magnitude >= FIRST_SPECIAL[format]) {
    return format === 'fp8-e5m2' && magnitude === FIRST_SPECIAL[format] ? sign / 0 : Number.NaN;
  }
  const fraction = magnitude & (2 ** fractionBits - 1);
  const exponent = magnitude >> fractionBits;
  const step = 2 ** (1 - bias - fractionBits);
  if (exponent === 0) return sign * fraction * step;
  return sign * (2 ** fractionBits + fraction) * step * 2 ** (exponent - 1);
}

/** The pattern of each number of a format, NaN and −0 aside. */
function patterns(format: Float8): ReadonlyMap<number, number> {
  const entries = Array.from({ length: 256 }, (_, n): [number, number] => [decode8(format, n), n]);
  return new Map(entries.filter(([value, n]) => !Number.isNaN(value) && n !== 0x80));
}

const PATTERNS = { 'fp8-e4m3': patterns('fp8-e4m3'), 'fp8-e5m2': patterns('fp8-e5m2') };
const NAN: Readonly<Record<Float8, number>> = { 'fp8-e4m3': 0x7f, 'fp8-e5m2': 0x7e };

/** The pattern of x rounded to the format; NaN, and overflow in e4m3, is the quiet positive NaN. */
export function encode8(format: Float8, x: number): number {
  const rounded = roundTo(format, x);
  if (Number.isNaN(rounded)) return NAN[format];
  if (Object.is(rounded, -0)) return 0x80;
  const pattern = PATTERNS[format].get(rounded);
  if (pattern === undefined) throw new Error(`${rounded} is no number of ${format}`);
  return pattern;
}
