/**
 * Errors of K and V as operands, and what they bring to the pairs of a row. spec/bounds.md §3, Recompute
 * @module
 */

import { nth, nthIfAny } from '../../numbers/nth.ts';
import type { ErrorModel } from '../lemmas/error-model.ts';
import { projectionError, projectionTerms } from '../lemmas/step-errors.ts';
import { type CertifiedCase, type FlatBalls, upper } from './certified.ts';

/**
 * Absolute error of K and V as operands, flat where they are recomputed (Lemma Recompute); `near`, of each
 * component, where they are inputs that are rounded near zero.
 */
export interface OperandError {
  readonly k: Float64Array | null;
  readonly v: Float64Array | null;
  readonly near: number;
}

/** An error that each pair of a row brings, entry j for key j, and one that all do. */
export interface Brought {
  readonly each: Float64Array | null;
  readonly all: number;
}

export const broughtBy = ({ each, all }: Brought, j: number): number => all + nthIfAny(each, j);

/** What ΔK brings to the scores of a row, Σ|q|ΔK and ΣΔK. */
export interface ScoreOperands {
  readonly carried: Brought;
  readonly spread: Brought;
}

/** What score_bound and recompute_bound ask of a dot product of d terms. */
export const fewProducts = (model: ErrorModel, d: number): boolean =>
  (d + 3) * model.scores + 4 * model.operand + 2 * model.input <= 0.5;

/** Error of every element of X = Y W. */
function projectionErrors(
  model: ErrorModel,
  [y, w]: readonly [Float64Array, Float64Array],
  x: FlatBalls,
): Float64Array {
  const [batch = 0, heads = 0, seq = 0, width = 0] = x.shape;
  const columns = heads * width;
  const dimY = w.length / columns;
  const values = upper(x);
  const error = new Float64Array(values.length);
  const terms = fewProducts(model, dimY) ? projectionTerms(model, dimY) : null;
  for (let n = 0; n < error.length; n++) {
    const [c, row] = [n % width, Math.floor(n / width)];
    const [j, h] = [row % seq, Math.floor(row / seq) % heads];
    const yAt = (Math.floor(row / seq / heads) * seq + j) * dimY;
    let [magnitude, sizes] = [0, 0];
    for (let e = 0; e < dimY; e++) {
      const [f, a] = [Math.abs(nth(y, yAt + e)), Math.abs(nth(w, e * columns + h * width + c))];
      magnitude += f * a;
      sizes += f + a;
    }
    error[n] =
      terms === null
        ? Number.POSITIVE_INFINITY
        : projectionError(terms, { magnitude, sizes, x: nth(values, n) });
  }
  return batch === 0 ? new Float64Array(0) : error;
}

/** Lemma Recompute: K = Y W_K summed over dim_y, then stored in the operand format. */
export function operandError(c: CertifiedCase, model: ErrorModel): OperandError | null {
  if (c.features === null) {
    // Inputs rounded near zero; their relative rounding is `input` in every sum they enter.
    return model.inputTiny === 0 ? null : { k: null, v: null, near: model.inputTiny };
  }
  const { y, wK, wV } = c.features;
  const [k, v] = [projectionErrors(model, [y, wK], c.k), projectionErrors(model, [y, wV], c.v)];
  return { k, v, near: 0 };
}
