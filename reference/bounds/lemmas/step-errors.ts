/**
 * What each step of the forward pass may lose, as formulas. spec/bounds.md §3
 *
 * One function a lemma, in magnitudes alone. Each is the definition of the same name in
 * spec/theory/ (DotAccuracy, ScoreAccuracy, AttentionAccuracy, AttentionBound), about which the
 * theorems are; spec/theory/step-errors.test.ts evaluates both and compares.
 * @module
 */
import { exp, log, tanh } from '../../numbers/float64.ts';
import { type ErrorModel, sumGrowth } from './error-model.ts';
import { givenPartsError } from './given-parts.ts';

/** What is the same for every element of X = Y W. */
export const projectionTerms = (model: ErrorModel, dimY: number) => ({
  grown: sumGrowth(model, dimY, 2, model.scores, 2 * model.input),
  flushed: 4 * dimY * model.tiny,
  ...{ dimY, tiny: model.inputTiny, operand: model.operand, operandTiny: model.operandTiny },
});
export type ProjectionTerms = ReturnType<typeof projectionTerms>;

/** Lemma Recompute: X = Y W over dim_y; Σ|y||w|, Σ(|y| + |w|), |x|. Coq: projection_error */
export function projectionError(
  { grown, flushed, dimY, tiny, operand, operandTiny }: ProjectionTerms,
  { magnitude, sizes, x }: { magnitude: number; sizes: number; x: number },
): number {
  const absolute = 2 * tiny * (sizes + dimY * tiny) + flushed;
  const sum = magnitude * grown + absolute;
  return sum + operand * (x + sum) + operandTiny;
}

/** What is the same for every score. */
export function rawScoreTerms(model: ErrorModel, { scale, d }: { scale: number; d: number }) {
  const eta = (model.scaledOperand > 0 ? model.operandTiny : model.inputTiny) + model.tiny;
  const grown = sumGrowth(model, d, 3, model.scores, 4 * model.scaledOperand + 2 * model.input);
  return { scale, grown, eta, squares: 2 * d * eta * eta, flushed: (d + 1) * model.tiny };
}
export type RawScoreTerms = ReturnType<typeof rawScoreTerms>;

/**
 * Lemma Score: scale·q·k in any order, scale before or after it, on Q, K or both: Σ|q||k|, Σ|q|ΔK,
 * Σ(|q| + |k| + ΔK). Coq: raw_score_error
 */
export function rawScoreError(
  { scale, grown, eta, squares, flushed }: RawScoreTerms,
  magnitude: number,
  carried: number,
  sizes: number,
): number {
  const absolute = 4 * (1 + scale) * (sizes * eta + squares + flushed);
  return scale * (magnitude + carried) * grown + scale * carried + absolute;
}

/** Slack of the float64 tanh below: 1 − tanh² from a tanh within 4u. spec/theory/Kernels.v */
const SLOPE_SLACK = 2 ** -46;

/** Lemma Softcap: the error of tanh(raw/c), steepest at the end nearest zero. Coq: tanh_error */
export function tanhError(
  model: ErrorModel,
  cap: number,
  { raw, least, error }: { raw: number; least: number; error: number },
): number {
  const argument = error / cap + (3 * model.scores * (raw + error)) / cap + model.tiny;
  const steepest = tanh(Math.max(0, least / cap - argument));
  const slope = Math.min(1, 1 - steepest * steepest + SLOPE_SLACK);
  return Math.min(2, argument * slope) + model.tanh;
}

/** Lemma Softcap: the product with c. Coq: softcap_error */
export function softcapError(
  model: ErrorModel,
  cap: number,
  { capped, tError }: { capped: number; tError: number },
): number {
  return cap * tError + 3 * model.scores * (capped + cap * tError) + model.tiny;
}

/** Lemma Bias: the bias rounded to its storage format, one addition. Coq: bias_error */
export function biasError(
  model: ErrorModel,
  { score, capped, bias, error }: { score: number; capped: number; bias: number; error: number },
): number {
  const added = error + model.stored * bias + model.storedTiny;
  return added + model.scores * (score + capped + bias + added) + model.tiny;
}

/** What is the same for every weight of a row. */
export interface WeightTerms {
  /** Roundings of a sum of as many terms as the row has. */
  readonly summed: number;
  /** Merges on the way of a key at most: mostMerges (merge-errors.ts). */
  readonly merges: number;
  /** |LSE| at most. */
  readonly lse: number;
  /** One and the headroom of a lazy maximum more than the largest error of the row's scores, far keys aside. */
  readonly slack: number;
  /** What the options of the profile add: grantedError (merge-errors.ts). */
  readonly granted: number;
}

/**
 * Lemma Weight, in the log domain, the score's own error aside: an exponential with a fused subtraction,
 * 8 roundings a join, what every unit costs by which the running maximum or LSE rises above the score,
 * and the normalised partials: their LSE, and what each merge may cost. |s| and LSE − s at most, and the error of
 * s. Coq: weight_rounding
 */
export function weightRounding(
  model: ErrorModel,
  row: WeightTerms,
  score: number,
  fromLse: number,
  error: number,
): number {
  const { exponential: uE, accumulation: uA } = model;
  const reach = (1 + (20 + 4 * row.merges) * uA) * (Math.max(score, row.lse) + row.slack) + 1;
  const exponential = (8 + 2 * (1 + 8 * uE) * (score + error)) * uE;
  const summed = 8 * row.summed * uA;
  const shifted = 10 * (fromLse + 2 * row.slack) * uA;
  const merged = (18 + 7 * reach + row.merges * (14 + 2 * reach)) * uA;
  const ofParts = givenPartsError(model, row.merges, reach);
  return exponential + summed + shifted + merged + row.granted + ofParts;
}

/** Lemma Weight: the whole. Coq: weight_error */
export const weightError = (
  model: ErrorModel,
  row: WeightTerms,
  score: number,
  fromLse: number,
  error: number,
): number => error + weightRounding(model, row, score, fromLse, error);

/**
 * Lemma Far keys: half of what a key may contribute to its row's sum, whatever its score and the error of
 * that: what an exponential of −10⁹ loses is far less than three quarters of 10⁹. `below`: LSE − s at
 * least. Coq: far_weight
 */
export function farWeight(
  model: ErrorModel,
  row: WeightTerms,
  { score, below, error: off }: { score: number; below: number; error: number },
): number {
  const { exponential: uE, accumulation: uA } = model;
  // Lemma Lazy: a weight may exceed one by e^headroom, and a rise takes a quarter off.
  const error = off + 4 * model.headroom;
  const reach = (1 + (20 + 4 * row.merges) * uA) * Math.max(score + error, row.lse + row.slack) + 1;
  const exponential = (8 + 2 * (1 + 8 * uE) * (score + error)) * uE;
  const merged = (18 + 7 * reach + row.merges * (14 + 2 * reach)) * uA;
  const granted = row.granted + givenPartsError(model, row.merges, reach);
  return 4 * exp(exponential + merged + granted + (error - below) / 4);
}

/** Underflow of one term: 3 times its leaf's, and one of each operation it may meet. Coq: flush */
export function flush(
  model: ErrorModel,
  { leaf, size, operations }: { leaf: number; size: number; operations: number },
): number {
  return 3 * leaf + operations * (8 * model.rescaledTiny * (size + 1));
}

/** 1/(1 − b) − 1, and −log(1 − b) is no larger; unbounded from b = 1 on. Coq: quotient */
export function quotient(b: number): number {
  return b < 1 ? b / (1 - b) : Number.POSITIVE_INFINITY;
}

/**
 * Lemma Output: numerator over denominator, both off; `least` is what the computed denominator is at
 * least, of the exact one. Coq: divided_error
 */
export function dividedError(
  numerator: number,
  out: number,
  denominator: number,
  least: number,
): number {
  return least > 0 ? (numerator + out * denominator) / least : Number.POSITIVE_INFINITY;
}

/** Lemma Denominator: what a weight with this error, its score's among it, keeps at least. Coq: least_weight */
export function leastWeight(scoreError: number, weight: number): number {
  return exp(2 * scoreError - 3 * weight);
}

/** Lemma Log, where the denominator may be off by its own size and more. Coq: wide_lse_error */
export function wideLseError(denominator: number, flushes: number, least: number): number {
  if (!(least > 0 && flushes < 1)) return Number.POSITIVE_INFINITY;
  return Math.max(-log(least), log((1 + denominator) / (1 - flushes)));
}

/**
 * Lemma Hull: the output is an average, however far off the weights are. `top` is the largest of what
 * is averaged, its error included, `rounded` the largest part of an error of a weight and its product
 * that is not the score's. Coq: hull_error
 */
export function hullError({
  out,
  top,
  rounded,
  flushes,
  lost,
}: {
  out: number;
  top: number;
  rounded: number;
  flushes: number;
  lost: number;
}): number {
  return out + top * (exp(4 * rounded) * (1 + flushes)) + lost;
}

/**
 * Lemma Far rows: an average of n keys in as many `parts` at most, whatever their weights; `top` the largest
 * of what is averaged, `leaf` what underflow costs it. Coq: average_error
 */
export function averageError(
  model: ErrorModel,
  { n, parts, beside }: { n: number; parts: number; beside: number },
  { out, top, leaf }: { out: number; top: number; leaf: number },
): number {
  const { accumulation: uA, tiny } = model;
  const grown = exp(beside + (15 * n + 9 * parts) * uA);
  return out + parts * (grown * (top * (1 + 4 * n * tiny) + n * (leaf + 8 * tiny)));
}

/** Lemma Far rows: by how much the size of an LSE enters its own error. Coq: far_lse_share */
export function farLseShare(model: ErrorModel, merges: number): number {
  const { accumulation: uA } = model;
  return 4 * ((7 + 2 * merges) * ((1 + 20 * uA) * uA));
}

/** Lemma Far rows: what flushes may amount to of a sum that is 1. Coq: far_lse_flushes */
export function farLseFlushes(
  { accumulation: uA, tiny, weightTiny }: ErrorModel,
  { n, merges }: { n: number; merges: number },
): number {
  return exp(9 * (n + merges) * uA) * (n * (weightTiny + (n + merges) * (16 * tiny)));
}

/**
 * Lemma Far rows: the error of an LSE, from the largest |s| + Δs (|LSE| among them) and the largest Δs.
 * Coq: far_lse_error
 */
export function farLseError(
  model: ErrorModel,
  { n, merges }: { n: number; merges: number },
  { size, score }: { size: number; score: number },
): number {
  const { exponential: uE, accumulation: uA } = model;
  const reach = (1 + 20 * uA) * size + 1;
  const exponential = (8 + 2 * (1 + 8 * uE) * size) * uE;
  const merged = (18 + 7 * reach + merges * (14 + 2 * reach)) * uA;
  const within = log(4 * n) + 9 * (n + merges) * uA + exponential + model.summed + merged;
  return (score + 4 * within) / (1 - farLseShare(model, merges));
}

/** At most two operations after the quotient. Coq: unrounded_error */
export function unroundedError(model: ErrorModel, out: number, divided: number): number {
  return divided + 3 * model.accumulation * (out + divided) + model.tiny;
}

/** Lemma Log: one conversion of the LSE (from base 2, say). Coq: converted_error */
export function convertedError(model: ErrorModel, lse: number, divided: number): number {
  return divided + 3 * model.accumulation * (lse + divided);
}

/** One rounding to the output format. */
export function finalRounding(
  { output, outputTiny }: Pick<ErrorModel, 'output' | 'outputTiny'>,
  magnitude: number,
): number {
  return output * magnitude + outputTiny;
}
