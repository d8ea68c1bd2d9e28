/**
 * Lemmas Score, Softcap and Bias, one after another: how far a score may be off, and its tanh. spec/bounds.md §3
 * @module
 */

import type { CaseParameters } from '../../case/case.ts';
import { nth, whole } from '../../numbers/nth.ts';
import type { ErrorModel } from '../lemmas/error-model.ts';
import { heldScoreError } from '../lemmas/held-errors.ts';
import { biasError, softcapError, tanhError } from '../lemmas/step-errors.ts';
import { broughtBy, fewProducts, type ScoreOperands } from './operands.ts';
import type { RowMagnitudes } from './row-magnitudes.ts';

/** The lemmas of a case under a model, what they have in common of all pairs worked out. */
export interface ScoreSteps {
  readonly raw: (magnitude: number, carried: number, sizes: number) => number;
  /** Null without softcap, and without a bias. */
  readonly softcap: {
    readonly tanh: (raw: number, least: number, error: number) => number;
    readonly capped: (capped: number, tError: number) => number;
  } | null;
  readonly bias: ((score: number, capped: number, bias: number, error: number) => number) | null;
}

export function scoreSteps(
  { head_dim: d, softcap: cap, scale }: CaseParameters,
  model: ErrorModel,
  biased: boolean,
): ScoreSteps {
  return {
    raw: fewProducts(model, d)
      ? heldScoreError(model, { scale: Math.abs(scale), d })
      : () => Number.POSITIVE_INFINITY,
    softcap: cap === 0 ? null : { tanh: tanhError(model, cap), capped: softcapError(model, cap) },
    bias: biased ? biasError(model) : null,
  };
}

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
export function scoreError({ raw, softcap, bias }: ScoreSteps, of: ScoreSizes) {
  let [error, tError] = [raw(of.magnitude, of.carried, of.sizes), 0];
  if (softcap !== null) {
    tError = softcap.tanh(of.raw, of.least, error);
    error = softcap.capped(of.capped, tError);
  }
  if (bias !== null) error = bias(of.score, of.capped, of.bias, error);
  return { error, tError };
}

/** Room for the errors of a row's scores. */
export interface ScoreErrors {
  readonly scoreError: Float64Array;
  readonly tError: Float64Array;
}

/** The same of every key that a row sees, into `to`; what is no part of the case is left as it was, 0. */
export function scoreErrors(
  { raw, softcap, bias }: ScoreSteps,
  operands: ScoreOperands | null,
  row: RowMagnitudes,
  { scoreError: error, tError }: ScoreErrors,
): void {
  const { count } = row;
  for (let k = 0; k < count; k++) {
    if (operands === null) error[k] = raw(nth(row.products, k), 0, nth(row.sizes, k));
    else {
      const j = whole(row.j, k);
      const sizes = nth(row.sizes, k) + broughtBy(operands.spread, j);
      error[k] = raw(nth(row.products, k), broughtBy(operands.carried, j), sizes);
    }
  }
  for (let k = 0; softcap !== null && k < count; k++) {
    tError[k] = softcap.tanh(nth(row.raw, k), nth(row.rawLeast, k), nth(error, k));
    error[k] = softcap.capped(nth(row.capped, k), nth(tError, k));
  }
  for (let k = 0; bias !== null && k < count; k++) {
    error[k] = bias(nth(row.score, k), nth(row.capped, k), nth(row.bias, k), nth(error, k));
  }
}
