/**
 * Lemma Accumulate for the elements of a gradient: terms with their errors, summed in any order over the
 * ranks, then rounded; parts of it perhaps stored first. spec/bounds.md §4
 * @module
 */

import { nth } from '../../numbers/nth.ts';
import { type ErrorModel, sumGrowth } from '../lemmas/error-model.ts';
import { finishedError, storedPartsError } from '../lemmas/gradient-errors.ts';
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

/** The sum of terms off by `made`, of sizes that sum up to `magnitude`; the exact one `mid` ± `rad`. */
type ErrorOfSum = (made: number, magnitude: number, mid: number, rad: number) => number;

/** Lemma Stored parts: a sum's parts, one a query head of the group, each stored before they are added. */
function storedParts(
  model: ErrorModel,
  { count, ranks, parts }: Required<Summing>,
): (made: number, magnitude: number) => number {
  if (parts === 1) return () => 0;
  const grown = sumGrowth(model, count, ranks + 1, model.accumulation);
  const flushed = count * model.tiny * (1 + grown);
  const stored = Math.min(parts, count);
  return (made, magnitude) =>
    storedPartsError(model, stored, (magnitude + made) * (1 + grown) + flushed);
}

/** Every sum of so many terms under a model. */
export function errorOfSum(model: ErrorModel, { parts = 1, ...summing }: Summing): ErrorOfSum {
  if (summing.count === 0) return () => 0; // nothing is added: an exact zero
  const ofParts = storedParts(model, { ...summing, parts });
  const finished = finishedError(model, summing);
  const unrounded = model.anchored
    ? finishedError({ ...model, output: 0, outputTiny: 0 }, summing)
    : null;
  return (made, magnitude, mid, rad) => {
    const all = made + ofParts(made, magnitude);
    const exact = Math.abs(mid) + rad;
    const bound = finished(all, magnitude, exact);
    if (Number.isNaN(bound)) return Number.POSITIVE_INFINITY; // 0·∞: nothing is known
    if (unrounded === null) return bound;
    const stored = storedError(model, { mid, rad }, unrounded(all, magnitude, exact));
    return Math.min(bound, stored);
  };
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
  let count = -1;
  let errorOf: ErrorOfSum = () => Number.POSITIVE_INFINITY;
  for (let n = 0; n < bounds.length; n++) {
    if (nth(terms, n) !== count) {
      count = nth(terms, n);
      errorOf = errorOfSum(model, { ...over, count });
    }
    bounds[n] = errorOf(nth(error, n), nth(magnitude, n), nth(mid, n), nth(rad, n));
  }
  return bounds;
}
