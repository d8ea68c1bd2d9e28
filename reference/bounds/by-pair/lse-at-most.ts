/**
 * How far the LSE of a row may be off at most, from the largest of its keys' magnitudes: enough, as a rule, to
 * see that nothing overflows, without the worst case's bounds of every pair. spec/bounds.md §3
 * @module
 */

import { nth } from '../../numbers/nth.ts';
import { type ErrorModel, growth, SLACK } from '../lemmas/error-model.ts';
import { grantedError, logitReach } from '../lemmas/merge-errors.ts';
import {
  convertedError,
  flush,
  quotient,
  type WeightTerms,
  weightRounding,
} from '../lemmas/step-errors.ts';
import { FAR_BELOW, lseStored, provedFor, roundedBeside, rowTerms } from './bounds.ts';
import type { CertifiedCase } from './certified.ts';
import * as rows from './row-kernels.ts';
import type { RowMagnitudes } from './row-magnitudes.ts';
import { scoreError, scoreSteps } from './score-steps.ts';

/** The largest of a row's keys' magnitudes, and the sum of their P. */
interface Largest {
  readonly products: number;
  readonly sizes: number;
  readonly raw: number;
  readonly capped: number;
  readonly bias: number;
  readonly score: number;
  readonly fromLse: number;
  readonly below: number;
  readonly p: number;
}

function largestOf({ kernels, count }: RowMagnitudes, x: Float64Array): number {
  if (kernels !== null) return rows.largestOf(kernels, x, count);
  let largest = 0;
  for (let n = 0; n < count; n++) largest = Math.max(largest, nth(x, n));
  return largest;
}

function largestIn(row: RowMagnitudes): Largest {
  const { count, kernels } = row;
  let p = kernels === null ? 0 : rows.sumOf(kernels, row.p, count);
  for (let n = 0; kernels === null && n < count; n++) p += nth(row.p, n);
  const of = (x: Float64Array): number => largestOf(row, x);
  return {
    ...{ products: of(row.products), sizes: of(row.sizes), raw: of(row.raw), p },
    ...{ capped: of(row.capped), bias: of(row.bias), score: of(row.score) },
    ...{ fromLse: of(row.fromLse), below: of(row.below) },
  };
}

/**
 * At least what rowBound makes of the same row where none of its keys is far; infinite where one may be, or
 * where the denominator may be off by its own size. Of keys that are given, not recomputed.
 */
function lseErrorAtMost(c: CertifiedCase, model: ErrorModel, row: RowMagnitudes): number {
  const { head_dim: d } = c.parameters;
  const most = largestIn(row);
  const near = c.features === null ? model.inputTiny : Number.POSITIVE_INFINITY;
  const { error } = scoreError(scoreSteps(c.parameters, model, c.bias !== null), {
    ...{ ...most, least: 0, magnitude: most.products },
    ...{ carried: near * most.sizes, sizes: most.sizes + near * d },
  });
  const sinkError = row.sink === null ? 0 : model.stored * row.sink.score + model.storedTiny;
  const { n, merges, operations } = rowTerms(c, row);
  const slack = 1 + Math.max(error, sinkError) + model.headroom;
  const summed = model.roundings(n);
  const sinkReach = row.sink === null ? 0 : row.sink.score + sinkError;
  const reach = logitReach(Math.max(row.lse, sinkReach, most.score + error), slack);
  const granted = grantedError(model, summed, reach);
  const terms: WeightTerms = { summed, merges, lse: row.lse, slack, granted };
  const own = weightRounding(model, terms, most.score, most.fromLse, error);
  const ofSink =
    row.sink === null
      ? 0
      : weightRounding(model, terms, row.sink.score, row.sink.fromLse, sinkError);
  const below = Math.max(most.below, row.sink?.below ?? 0);
  const raised = row.sink?.raised === true || row.raised.subarray(0, row.count).includes(1);
  const proved = provedFor(Math.max(own, ofSink) + roundedBeside(model));
  if (raised || below > FAR_BELOW || !proved) return Number.POSITIVE_INFINITY;
  const flushes = 2 * n * flush(model, { leaf: model.weightTiny, size: 1, operations });
  const sinkPart = row.sink === null ? 0 : row.sink.p * growth(sinkError + ofSink);
  const denominator = flushes + (most.p * growth(error + own) + sinkPart) * SLACK;
  return convertedError(model, row.lse, quotient(denominator));
}

/** The largest error that the LSE of a row may have as it is summed, its own ball's radius among it. */
export function lseAtMost(
  c: CertifiedCase,
  model: ErrorModel,
  row: RowMagnitudes,
  radius: number,
): number {
  const error = lseErrorAtMost(c, model, row);
  const stored = lseStored(model, row.lse, error, model.accumulation);
  return stored >= 0 ? (stored + radius) * SLACK : Number.POSITIVE_INFINITY;
}
