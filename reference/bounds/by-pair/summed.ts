/**
 * Lemma Accumulate for the elements of a gradient: terms with their errors, summed in any order over the
 * ranks, then rounded; parts of it perhaps stored first. spec/bounds.md §4
 * @module
 */

import { nth } from '../../numbers/nth.ts';
import type { ErrorModel } from '../lemmas/error-model.ts';
import {
  finishedError,
  type SumTerms,
  storedPartsError,
  sumTerms,
} from '../lemmas/gradient-errors.ts';
import { storedError } from './anchored.ts';
import type { FlatBalls } from './certified.ts';

/** A gradient that is a sum: what is summed, in magnitude and number; the same for every model. */
export interface Summed {
  readonly magnitude: Float64Array;
  readonly terms: Float64Array;
}

/** What is summed where, in how many parts: dK and dV of a group's query heads are one a head. */
interface Summing {
  readonly count: number;
  readonly ranks: number;
  readonly parts?: number;
}

/** What sums of so many terms under a model have in common. */
export interface SumOf extends SumTerms {
  readonly model: ErrorModel;
  readonly count: number;
  /** How many parts of it may be stored first; 0 where none is. */
  readonly stored: number;
}

export const summing = (model: ErrorModel, { count, ranks, parts = 1 }: Summing): SumOf => ({
  ...{ ...sumTerms(model, { count, ranks }), model, count },
  stored: parts === 1 ? 0 : Math.min(parts, count),
});

/** Nothing of the sum is rounded at last. */
const UNROUNDED = { output: 0, outputTiny: 0 };

/** The error of one: terms off by `made`, of sizes that sum up to `magnitude`; exactly it is `mid` ± `rad`. */
export function errorOfSum(
  sum: SumOf,
  made: number,
  magnitude: number,
  mid: number,
  rad: number,
): number {
  const { model, stored } = sum;
  if (sum.count === 0) return 0; // nothing is added: an exact zero
  // Lemma Stored parts: one a query head of the group, each stored before they are added.
  const size = (magnitude + made) * (1 + sum.grown) + sum.flushed;
  const all = stored === 0 ? made : made + storedPartsError(model, stored, size);
  const exact = Math.abs(mid) + rad;
  const bound = finishedError(model, sum, all, magnitude, exact);
  if (Number.isNaN(bound)) return Number.POSITIVE_INFINITY; // 0·∞: nothing is known
  if (!model.anchored) return bound;
  const unrounded = finishedError(UNROUNDED, sum, all, magnitude, exact);
  return Math.min(bound, storedError(model, { mid, rad }, unrounded));
}

/** All elements of a gradient; `error` is what their terms are off by. */
export function finishSum(
  model: ErrorModel,
  error: Float64Array,
  { magnitude, terms }: Summed,
  { mid, rad }: FlatBalls,
  over: Omit<Summing, 'count'>,
): Float64Array {
  const bounds = new Float64Array(error.length);
  // As a rule every element has as many terms as the one before.
  let sum = summing(model, { ...over, count: 0 });
  for (let n = 0; n < bounds.length; n++) {
    if (nth(terms, n) !== sum.count) sum = summing(model, { ...over, count: nth(terms, n) });
    bounds[n] = errorOfSum(sum, nth(error, n), nth(magnitude, n), nth(mid, n), nth(rad, n));
  }
  return bounds;
}
