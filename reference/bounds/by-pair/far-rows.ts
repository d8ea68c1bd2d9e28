/**
 * Rows of whose weights nothing is known: all keys masked by −10⁹, say, in f32. spec/bounds.md §3, Far rows
 *
 * Numerator and denominator are sums over the same weights, whatever those are, and a log-sum-exp lies
 * near the largest score. FarRows.v in spec/theory proves it of merges by weights; an option of a profile
 * that lets a program do something else leaves such a row without a bound.
 * @module
 */

import { nth, nthIfAny, whole } from '../../numbers/nth.ts';
import { type ErrorModel, SLACK } from '../lemmas/error-model.ts';
import {
  averageError,
  convertedError,
  farLseError,
  farLseFlushes,
  farLseShare,
  finalRounding,
  unroundedError,
} from '../lemmas/step-errors.ts';
import type { CertifiedCase } from './certified.ts';
import type { RowMagnitudes } from './row-magnitudes.ts';

/** Are the runs of this model those of the theorems, no option of a profile among them? */
const runsAreProved = (model: ErrorModel): boolean =>
  !model.subtractsInMerges && model.headroom === 0 && model.partial === 0 && !model.mergesGiven;

/** Error of the LSE of a row of n terms before it is stored; `size` at least |s| + Δs of any, and |LSE|. */
export function farRowLse(
  model: ErrorModel,
  { n, merges }: { n: number; merges: number },
  { lse, size, score }: { lse: number; size: number; score: number },
): number {
  const share = farLseShare(model, merges) * SLACK;
  const flushes = farLseFlushes(model, { n, merges }) * SLACK;
  const proved = runsAreProved(model) && share < 1 && flushes <= 0.5 && size < Infinity;
  if (!proved) return Number.POSITIVE_INFINITY;
  return convertedError(model, lse, SLACK * farLseError(model, { n, merges }, { size, score }));
}

/** Where the row's numbers stand, and what is rounded beside a weight in its product with V. */
export interface FarRow {
  readonly n: number;
  readonly beside: number;
  readonly outAt: number;
  readonly valuesAt: number;
  /** Absolute error of V, or null where there is none. */
  readonly vError: { readonly v: Float64Array | null; readonly near: number } | null;
}

/** Error of each component of the output after its final rounding, into `out`. */
export function farRowOut(
  c: CertifiedCase,
  model: ErrorModel,
  row: RowMagnitudes,
  { n, beside, outAt, valuesAt, vError }: FarRow,
  out: Float64Array,
): void {
  if (!runsAreProved(model)) {
    out.fill(Number.POSITIVE_INFINITY);
    return;
  }
  const { kappa: held } = model.held;
  const near = vError?.near ?? 0;
  for (let e = 0; e < out.length; e++) {
    let [top, leaf] = [0, 0];
    for (let k = 0; k < row.count; k++) {
      const at = valuesAt + whole(row.j, k) * out.length + e;
      const v = Math.abs(nth(c.v.mid, at)) + nth(c.v.rad, at) + near + nthIfAny(vError?.v, at);
      const kappa = nth(row.kappa, k) * (1 + held);
      top = Math.max(top, kappa * v);
      leaf = Math.max(leaf, (kappa * (model.weightTiny + model.operandTiny) + model.tiny) * v);
    }
    const size = Math.abs(nth(c.out.mid, outAt + e)) + nth(c.out.rad, outAt + e);
    // However many parts are merged, each has a key.
    const sizes = { out: size * (1 + held), top, leaf: leaf + model.tiny };
    const average = averageError(model, { n, parts: n, beside }, sizes);
    const unrounded = unroundedError(model, size, size * held + SLACK * average);
    out[e] = unrounded + finalRounding(model, size + unrounded);
  }
}
