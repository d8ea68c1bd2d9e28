/**
 * Enclosures: where a real number lies, and what it rounds to when that is decided.
 * @module
 */
import type { End } from './balls.ts';
import { type FormatName, neighbours, overflowIsNaN, roundBeside, roundTo } from './format.ts';

/** Float64 ends around an exact value; rounded to the format when both ends agree, else null. */
export interface Enclosure {
  readonly lo: number;
  readonly hi: number;
  readonly rounded: number | null;
}

const { below, above } = {
  below: (x: number): number => neighbours('f64', x).below,
  above: (x: number): number => neighbours('f64', x).above,
};

/** The reals have one zero: whatever rounds to zero is written +0. */
export const positiveZero = (x: number): number => (x === 0 ? 0 : x);

/** The float64 at or below a lower end; at or above an upper one. */
const floor = ({ near, side }: End): number =>
  side < 0 || near === Number.POSITIVE_INFINITY ? below(near) : near;
const ceiling = ({ near, side }: End): number =>
  side > 0 || near === Number.NEGATIVE_INFINITY ? above(near) : near;

/** LSE of a row that attends to nothing: −∞, or NaN in a format without infinities. */
export function emptyRow(format: FormatName): Enclosure {
  const infinite = Number.NEGATIVE_INFINITY;
  return { lo: infinite, hi: infinite, rounded: roundTo(format, infinite) };
}

/** Throws where no real number is within: a kernel gave a ball that does not hold the answer. */
export function assertNotEmpty({ lo, hi }: Pick<Enclosure, 'lo' | 'hi'>, what: string): void {
  if (!(lo <= hi)) throw new Error(`${what}: the enclosure [${lo}, ${hi}] holds no number`);
}

/** What everything between two ends rounds to, or null. Overflow to either side may be the same NaN. */
function roundedAlike(format: FormatName, low: End, high: End): number | null {
  const [a, b] = [low, high].map(({ near, side }) => roundBeside(format, near, side));
  if (a === b) return a === undefined ? null : positiveZero(a);
  if (!overflowIsNaN(format) || !Number.isNaN(a) || !Number.isNaN(b)) return null;
  return Math.sign(low.near) === Math.sign(high.near) ? Number.NaN : null;
}

/** An exact value known to lie between two ends. */
export function enclose(format: FormatName, low: End, high: End): Enclosure {
  const [lo, hi] = [floor(low), ceiling(high)];
  assertNotEmpty({ lo, hi }, 'between two ends');
  const rounded = roundedAlike(format, low, high);
  if (format !== 'f64' || rounded === null || !Number.isFinite(rounded)) return { lo, hi, rounded };
  // What rounds to a float64 lies between its neighbours.
  return { lo: Math.max(lo, below(rounded)), hi: Math.min(hi, above(rounded)), rounded };
}

/** Nothing is known. */
export const UNKNOWN: Enclosure = {
  lo: Number.NEGATIVE_INFINITY,
  hi: Number.POSITIVE_INFINITY,
  rounded: null,
};
