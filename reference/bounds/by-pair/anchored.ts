/**
 * Lemma Anchored: what rounding once, to nearest, may cost where the exact number is one of the format, or
 * close to one. spec/bounds.md §3
 *
 * x̂ is rounded to the number of the format nearest to it, so a number a of the format is no nearer:
 * |rd(x̂) − x̂| ≤ |a − x̂|. Weights that are powers of two among themselves are numbers of any format
 * whatever the running maximum; dS often is one; and what an output may round to lies between what the
 * ends of its interval round to. Only a profile that rounds nothing else has these bounds.
 * @module
 */

import { minNormal, minSubnormal, roundTo, ulp } from '../../numbers/format.ts';
import { nth } from '../../numbers/nth.ts';
import { type ErrorModel, growth, SLACK } from '../lemmas/error-model.ts';
import { recomputedWeight } from '../lemmas/gradient-errors.ts';
import type { ProfileName } from '../lemmas/profile.ts';
import type { RowMagnitudes } from './row-magnitudes.ts';

const U = 2 ** -53;

/** The power of two at or below x > 0, in the normal range of float64. */
const powerBelow = (x: number): number => ulp('f64', x) * 2 ** 52;

/** Is x, not zero, a power of two, or one below zero? */
export const isPowerOfTwo = (x: number): boolean =>
  x !== 0 && powerBelow(Math.abs(x)) === Math.abs(x);

/** What of a row's bounds is asked for here. */
interface Weighed {
  readonly weight: Float64Array;
  readonly scoreError: Float64Array;
  readonly anyFar: boolean;
  readonly sinkWeight: number;
  readonly sinkError: number;
}

/** |log(x/2^k)| at most, of the k that makes it least. */
function fromPower(x: number): number {
  const ratio = x / powerBelow(x);
  return 2 * Math.min(ratio - 1, 2 - ratio) + 4 * U;
}

/** How far a number between x − spread and x is from the format at most. */
const fromFormat = (format: ProfileName, x: number, spread: number): number =>
  Math.abs(roundTo(format, x) - x) + spread;

/**
 * How far, in the log domain, every P of a row and the weight of its sink are from powers of two in the
 * operand format's normal range; infinite where κ is no power of two.
 */
export function fromPowers({ base }: ErrorModel, row: RowMagnitudes): number {
  let worst = 0;
  const see = (p: number, spread: number, kappa: number): void => {
    const fits = p >= 2 * minNormal(base) && (kappa === 0 || isPowerOfTwo(kappa));
    worst = Math.max(worst, fits ? fromPower(p) + spread : Number.POSITIVE_INFINITY);
  };
  for (let n = 0; n < row.count; n++) see(nth(row.p, n), nth(row.pSpread, n), nth(row.kappa, n));
  if (row.sink !== null) see(row.sink.p, row.sink.pSpread, 1);
  return worst;
}

/**
 * The model with what rounding P to the operand format may cost in this row: a weight off by `error` in the log
 * domain before it is rounded, relative to a maximum that is another key's score, off by `score`.
 */
export function anchoredModel(
  model: ErrorModel,
  row: RowMagnitudes,
  { error, score }: { error: number; score: number },
): ErrorModel {
  if (!model.anchored) return model;
  const off = (error + score + 2 * fromPowers(model, row) + model.held.kappa) * SLACK;
  const probabilities = growth(off + 2 * model.accumulation);
  return probabilities < model.probabilities ? { ...model, probabilities } : model;
}

/** The largest error of a weight of the row, and of a score: of a far key, nothing is known. */
export function largestErrors(row: RowMagnitudes, bound: Weighed) {
  if (bound.anyFar) return { error: Number.POSITIVE_INFINITY, score: 0 };
  let [error, score] = row.sink === null ? [0, 0] : [bound.sinkWeight, bound.sinkError];
  for (let n = 0; n < row.count; n++) {
    error = Math.max(error, nth(bound.weight, n));
    score = Math.max(score, nth(bound.scoreError, n));
  }
  return { error, score };
}

/** The same of the P of the backward pass: from the LSE, or kept. */
export function anchoredBackward(
  model: ErrorModel,
  row: RowMagnitudes,
  bound: Weighed & { readonly lseError: number },
): ErrorModel {
  if (!model.anchored) return model;
  const largest = largestErrors(row, bound);
  let { error } = largest;
  const plain = { ...model, probabilities: 0 };
  for (let n = 0; n < row.count; n++) {
    const [score, fromLse, weight] = [nth(row.score, n), nth(row.fromLse, n), nth(bound.weight, n)];
    error = Math.max(error, recomputedWeight(plain, row, bound, score, fromLse, weight));
  }
  return anchoredModel(model, row, { error, score: largest.score });
}

/** How far below its largest |dRaw| may be: unknown where κ may have been rounded up. */
export const spreadOfGradient = (row: RowMagnitudes, n: number): number =>
  nth(row.kappa, n) === 0 || isPowerOfTwo(nth(row.kappa, n))
    ? nth(row.dSSpread, n) + nth(row.dS, n) * nth(row.slopeSpread, n)
    : Number.POSITIVE_INFINITY;

/**
 * What rounding dRaw, or dRaw times the scale, may add to its error: null where the operand format's roundoff
 * says no more.
 */
export function anchoredGradient(
  model: ErrorModel,
  scale: number,
  { raw, error, spread }: { raw: number; error: number; spread: number },
): number | null {
  if (!model.anchored) return null;
  const plain = fromFormat(model.base, raw, spread);
  const scaled =
    scale === 0 || (isPowerOfTwo(scale) && raw * Math.min(1, scale) >= minNormal(model.base))
      ? plain
      : fromFormat(model.base, raw * scale, spread * scale) / scale;
  const near = error + Math.max(plain, scaled) + 2 * model.accumulation * (raw + error);
  return near * SLACK < model.probabilities * (raw + error) ? near * SLACK : null;
}

/**
 * How far an output may be off once it is stored, given how far before: to nearest in the output format, or not
 * at all. Infinite where subnormals may be flushed, or where it may overflow.
 */
export function storedError(
  { outputFormat: format, outputTiny, outputMax }: ErrorModel,
  { mid, rad }: { mid: number; rad: number },
  unrounded: number,
): number {
  // Strictly beyond what is reached: a tie goes to either side.
  const reach = (unrounded + rad) * SLACK + Math.abs(mid) * 2 ** -48;
  const [low, high] = [mid - reach, mid + reach];
  const flushed = outputTiny > minSubnormal(format) / 2;
  const small = low < minNormal(format) && high > -minNormal(format);
  if (!(Math.max(-low, high) < outputMax) || (flushed && small)) return Number.POSITIVE_INFINITY;
  return Math.max(reach, roundTo(format, high) - mid, mid - roundTo(format, low));
}
