/**
 * Lemmas Score, Softcap and Bias, one after another: how far a score may be off, and its tanh. spec/bounds.md §3
 * @module
 */

import type { CaseParameters } from '../../case/case.ts';
import { nth, whole } from '../../numbers/nth.ts';
import type { ErrorModel } from '../lemmas/error-model.ts';
import { type HeldScoreTerms, heldScoreError, heldScoreTerms } from '../lemmas/held-errors.ts';
import { biasError, softcapError, tanhError } from '../lemmas/step-errors.ts';
import { broughtBy, fewProducts, type ScoreOperands } from './operands.ts';
import type { RowMagnitudes } from './row-magnitudes.ts';

/** What a case's scores under a model have in common. */
export interface ScoreSteps {
  readonly model: ErrorModel;
  /** Null where nothing is proved of so many products. */
  readonly raw: HeldScoreTerms | null;
  /** 0 without softcap. */
  readonly cap: number;
  readonly biased: boolean;
}

export const scoreSteps = (
  { head_dim: d, softcap: cap, scale }: CaseParameters,
  model: ErrorModel,
  biased: boolean,
): ScoreSteps => ({
  ...{ model, cap, biased },
  raw: fewProducts(model, d) ? heldScoreTerms(model, { scale: Math.abs(scale), d }) : null,
});

/** One score in magnitudes: |raw| at most and at least, |c·tanh|, |s|, |bias|, the sums of its dot product. */
export interface ScoreSizes {
  readonly raw: number;
  readonly least: number;
  readonly capped: number;
  readonly score: number;
  readonly bias: number;
  readonly magnitude: number;
  readonly carried: number;
  readonly sizes: number;
}

/** The error of a score, and the absolute error of tanh(raw/c), 0 without softcap. */
export function scoreError({ model, raw, cap, biased }: ScoreSteps, of: ScoreSizes) {
  let [error, tError] = [Number.POSITIVE_INFINITY, 0];
  if (raw !== null) error = heldScoreError(raw, of.magnitude, of.carried, of.sizes);
  if (cap !== 0) {
    tError = tanhError(model, cap, { raw: of.raw, least: of.least, error });
    error = softcapError(model, cap, { capped: of.capped, tError });
  }
  if (biased) error = biasError(model, { ...of, error });
  return { error, tError };
}

/** Room for the errors of a row's scores. */
export interface ScoreErrors {
  readonly scoreError: Float64Array;
  readonly tError: Float64Array;
}

/** Lemma Score for every key that a row sees. */
export function rawErrors(
  { raw }: ScoreSteps,
  operands: ScoreOperands | null,
  row: RowMagnitudes,
  to: Float64Array,
): void {
  for (let k = 0; k < row.count; k++) {
    const [products, sizes] = [nth(row.products, k), nth(row.sizes, k)];
    if (raw === null) to[k] = Number.POSITIVE_INFINITY;
    else if (operands === null) to[k] = heldScoreError(raw, products, 0, sizes);
    else {
      const j = whole(row.j, k);
      const spread = broughtBy(operands.spread, j);
      to[k] = heldScoreError(raw, products, broughtBy(operands.carried, j), sizes + spread);
    }
  }
}

/** Lemmas Softcap and Bias, where the case has such, from what Lemma Score has left in `scoreError`. */
export function cappedErrors(
  { model, cap, biased }: ScoreSteps,
  row: RowMagnitudes,
  { scoreError, tError }: ScoreErrors,
): void {
  for (let k = 0; cap !== 0 && k < row.count; k++) {
    const error = nth(scoreError, k);
    const off = tanhError(model, cap, {
      raw: nth(row.raw, k),
      least: nth(row.rawLeast, k),
      error,
    });
    tError[k] = off;
    scoreError[k] = softcapError(model, cap, { capped: nth(row.capped, k), tError: off });
  }
  for (let k = 0; biased && k < row.count; k++) {
    scoreError[k] = biasError(model, {
      ...{ score: nth(row.score, k), capped: nth(row.capped, k), bias: nth(row.bias, k) },
      error: nth(scoreError, k),
    });
  }
}
