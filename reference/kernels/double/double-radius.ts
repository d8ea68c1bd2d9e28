/**
 * The radii of the double-double kernels: spec/bounds.md §9. They are §8's, with other errors of the
 * single steps; radii are float64 numbers rounded outward by the same SLACK.
 * @module
 */
import {
  growth,
  type ScoreBound,
  type ScoreSetting,
  SLACK,
  U,
  UNKNOWN,
} from '../float64/radius.ts';

/** More than any sum, product, quotient, exponential or tanh of double-double loses, relative to 1. */
export const STEP = 2 ** -96;
/** More than one addition to a running sum loses, relative to the sum. */
export const ADDITION = 2 ** -102;
/** A sliced product of one tile loses at most this of Σ|x|·max|y|. */
export const SLICED = 2 ** -77;
/** More than one term may lose near zero: the slices' grid ends at 2⁻⁷⁸⁸, under factors up to 2⁸⁸. */
export const LOST = 2 ** -690;
/** exp returns 0 below −745.14: no shift beyond this can be seen. */
const SHIFT_LIMIT = 746;
const OVERFLOW = 1e200;

/** A sliced product of n terms loses at most this of n·max|x|·max|y|, unless lossless; lemma Slices. */
export const slicedProduct = (terms: number): number => terms * 2 ** -84;

/**
 * How far scores may be off whose products lose `sliced`·‖q‖‖k‖ and whose keys `keyError`; |q·k| ≤ ‖q‖‖k‖
 * bounds sizes and errors.
 */
export function doubleScoreBound(
  { scale, softcap }: ScoreSetting,
  sliced: number,
  query: number,
  key: number,
  keyError: number,
  bias: number,
  sink: number,
): ScoreBound {
  const factor = Math.abs(scale);
  const size = factor * query * (key + keyError) * SLACK * SLACK;
  if (!(query * key < OVERFLOW && size < OVERFLOW && bias + sink < OVERFLOW && factor < OVERFLOW)) {
    return UNKNOWN;
  }
  const lost = (1 + factor) * (1 + query) * (1 + key) * LOST;
  const raw = (size * (sliced + 4 * STEP) + factor * query * keyError * SLACK + lost) * SLACK;
  if (softcap === 0) {
    const largest = Math.max(size * SLACK + bias, sink) * SLACK + lost;
    return { error: (raw + 2 * largest * STEP) * SLACK, tanhError: 0, largest };
  }
  // The slope of tanh is at most 1.
  const tanhError = (raw / softcap + 4 * (1 + size / softcap) * STEP) * SLACK + LOST;
  const largest = Math.max(softcap * SLACK + bias, sink) * SLACK + lost;
  const error =
    (raw + (4 * softcap + 4 * size + 2 * largest) * STEP) * SLACK + (1 + softcap) * LOST;
  return { error, tanhError: Math.min(2, tanhError), largest };
}

/** More than a float64 exponential of a pair loses: 3u, one addition, and what a product neglects. */
export const SHORT = 5 * U;

/** Log-domain error of exp(s − m); `short`: in float64. */
export function doubleWeightError({ error, largest }: ScoreBound, short: boolean): number {
  const own = (Math.min(SHIFT_LIMIT, 2 * largest) + 4) * STEP + (short ? SHORT : 0);
  return (error + own) * SLACK;
}

/** Relative error of l, a sum of `keys` weights. */
export function doubleDenominatorError(log: number, keys: number): number {
  const bound = (growth(log + (keys + 8) * ADDITION) + 2 * (keys + 8) * LOST) * SLACK;
  return bound <= 0.125 ? bound : Number.POSITIVE_INFINITY;
}
