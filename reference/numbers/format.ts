/**
 * Floating-point formats: rounding to nearest even, neighbours, ULPs, bit patterns.
 *
 * A format is (precision p, least exponent emin, largest finite number); every function is exact
 * arithmetic on float64, which contains them all.
 * @module
 */
export const FORMATS = ['f64', 'f32', 'tf32', 'f16', 'bf16', 'fp8-e4m3', 'fp8-e5m2'] as const;
export type FormatName = (typeof FORMATS)[number];

interface Format {
  /** Bits of significand, the hidden one included. */
  readonly precision: number;
  /** Exponent of the smallest normal number. */
  readonly emin: number;
  readonly max: number;
  /** What overflow becomes: infinity, or NaN where the format has none (fp8-e4m3, OCP). */
  readonly overflow: number;
}

const TABLE: Readonly<Record<FormatName, Format>> = {
  f64: { precision: 53, emin: -1022, max: Number.MAX_VALUE, overflow: Number.POSITIVE_INFINITY },
  f32: {
    precision: 24,
    emin: -126,
    max: (2 - 2 ** -23) * 2 ** 127,
    overflow: Number.POSITIVE_INFINITY,
  },
  tf32: {
    precision: 11,
    emin: -126,
    max: (2 - 2 ** -10) * 2 ** 127,
    overflow: Number.POSITIVE_INFINITY,
  },
  f16: { precision: 11, emin: -14, max: 65504, overflow: Number.POSITIVE_INFINITY },
  bf16: {
    precision: 8,
    emin: -126,
    max: (2 - 2 ** -7) * 2 ** 127,
    overflow: Number.POSITIVE_INFINITY,
  },
  'fp8-e4m3': { precision: 4, emin: -6, max: 448, overflow: Number.NaN },
  'fp8-e5m2': { precision: 3, emin: -14, max: 57344, overflow: Number.POSITIVE_INFINITY },
};

const view = new DataView(new ArrayBuffer(8));

/** e with 2^e ≤ |x| < 2^(e+1), for finite x ≠ 0. */
function exponentOf(x: number): number {
  view.setFloat64(0, x);
  const biased = (view.getUint16(0) >> 4) & 0x7ff;
  if (biased !== 0) return biased - 1023;
  view.setFloat64(0, x * 2 ** 54);
  return ((view.getUint16(0) >> 4) & 0x7ff) - 1023 - 54;
}

/** Unit roundoff 2^−p of the format. */
export function unitRoundoff(format: FormatName): number {
  return 2 ** -TABLE[format].precision;
}

/** Smallest positive normal number. */
export function minNormal(format: FormatName): number {
  return 2 ** TABLE[format].emin;
}

/** Smallest positive number. */
export function minSubnormal(format: FormatName): number {
  return 2 ** (TABLE[format].emin - TABLE[format].precision + 1);
}

/** Largest finite number. */
export function maxFinite(format: FormatName): number {
  return TABLE[format].max;
}

/** Has the format no infinity, so that overflow to either side is NaN? */
export function overflowIsNaN(format: FormatName): boolean {
  return Number.isNaN(TABLE[format].overflow);
}

/** Distance between the numbers of the format around x: 2^(max(e, emin) − p + 1). */
export function ulp(format: FormatName, x: number): number {
  const { precision, emin } = TABLE[format];
  if (!Number.isFinite(x)) return Number.NaN;
  const e = x === 0 ? emin : Math.max(exponentOf(x), emin);
  return 2 ** (e - precision + 1);
}

/** x to an integer, ties to even; exact for |x| < 2^53. */
function toEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * x rounded to nearest, ties to even; overflow to ±Infinity. fp8-e4m3 has no infinity: overflow,
 * and an infinity itself, become NaN (OCP's conversion without saturation).
 */
export function roundTo(format: FormatName, x: number): number {
  if (format === 'f64' || x === 0 || Number.isNaN(x)) return x;
  if (!Number.isFinite(x)) return Math.sign(x) * TABLE[format].overflow;
  if (format === 'f32') return Math.fround(x);
  const step = ulp(format, x);
  const magnitude = toEven(Math.abs(x) / step) * step;
  const { max, overflow } = TABLE[format];
  return Math.sign(x) * (magnitude > max ? overflow : magnitude);
}

/** The next number of the format above x, one of its own; +Infinity past the largest. */
function above(format: FormatName, x: number): number {
  if (x === Number.NEGATIVE_INFINITY) return -TABLE[format].max;
  if (x >= TABLE[format].max) return Number.POSITIVE_INFINITY;
  if (x >= 0) return x + ulp(format, x);
  // Just below a power of two in magnitude the numbers lie twice as densely.
  const half = x + ulp(format, x) / 2;
  return roundTo(format, half) === half && half !== x ? half : x + ulp(format, x);
}

/** The two numbers of the format next to x, which is one of its own. */
export function neighbours(format: FormatName, x: number): { below: number; above: number } {
  return { below: -above(format, -x), above: above(format, x) };
}

/** The middle between two neighbours of a format; towards infinity, the overflow threshold. */
function middle(format: FormatName, a: number, b: number): number {
  if (Number.isFinite(a) && Number.isFinite(b)) return a / 2 + b / 2;
  const largest = TABLE[format].max;
  return Math.sign(Number.isFinite(a) ? a : b) * (largest + ulp(format, largest) / 2);
}

/**
 * A real number rounded to the format, given the float64 nearest to it and the side of that on
 * which it lies (−1 below, 0 equal, 1 above). A second rounding goes wrong only when that float64
 * is itself a midpoint of the format and the number is beside it.
 */
export function roundBeside(format: FormatName, near: number, side: number): number {
  const nearest = roundTo(format, near);
  if (format === 'f64' || !Number.isFinite(near) || side === 0) return nearest;
  const { below, above: next } = neighbours('f64', near);
  const other = roundTo(format, side > 0 ? next : below);
  if (other === nearest) return nearest;
  return near === middle(format, nearest, other) ? other : nearest;
}

/** Formats narrow enough that their patterns are small integers: exponent bits, fraction bits. */
const FIELDS = {
  tf32: [8, 10],
  f16: [5, 10],
  bf16: [8, 7],
  'fp8-e4m3': [4, 3],
  'fp8-e5m2': [5, 2],
} as const;
export type NarrowFormat = keyof typeof FIELDS;

/** Bits of a pattern of the format: sign, exponent, fraction. tf32 has 19. */
export function patternBits(format: NarrowFormat): number {
  const [exponentBits, fractionBits] = FIELDS[format];
  return 1 + exponentBits + fractionBits;
}

/**
 * The number that a pattern denotes; every NaN pattern is NaN. The largest exponent means infinity
 * or NaN, but for fp8-e4m3, where only the last pattern of either sign is NaN (OCP 8-bit formats).
 */
export function decode(format: NarrowFormat, pattern: number): number {
  const [exponentBits, fractionBits] = FIELDS[format];
  const ones = 2 ** exponentBits - 1;
  const fraction = pattern & (2 ** fractionBits - 1);
  const exponent = (pattern >> fractionBits) & ones;
  const sign = (pattern >> (exponentBits + fractionBits)) & 1 ? -1 : 1;
  if (format === 'fp8-e4m3') {
    if (exponent === ones && fraction === 2 ** fractionBits - 1) return Number.NaN;
  } else if (exponent === ones) return fraction === 0 ? sign / 0 : Number.NaN;
  const step = minSubnormal(format);
  return exponent === 0
    ? sign * fraction * step
    : sign * (fraction + 2 ** fractionBits) * step * 2 ** (exponent - 1);
}

/** The pattern of x rounded to the format; NaN is the quiet NaN with a zero payload. */
export function encode(format: NarrowFormat, x: number): number {
  const [exponentBits, fractionBits] = FIELDS[format];
  const infinity = (2 ** exponentBits - 1) << fractionBits;
  const rounded = roundTo(format, x);
  if (Number.isNaN(rounded)) {
    return infinity | (format === 'fp8-e4m3' ? 2 ** fractionBits - 1 : 1 << (fractionBits - 1));
  }
  const negative = rounded < 0 || Object.is(rounded, -0);
  const sign = negative ? 1 << (exponentBits + fractionBits) : 0;
  const magnitude = Math.abs(rounded);
  if (magnitude === Number.POSITIVE_INFINITY) return sign | infinity;
  if (magnitude < minNormal(format)) return sign | (magnitude / minSubnormal(format));
  const { emin } = TABLE[format];
  const exponent = exponentOf(magnitude);
  const fraction = magnitude / ulp(format, magnitude) - 2 ** fractionBits;
  return sign | ((exponent - emin + 1) << fractionBits) | fraction;
}
