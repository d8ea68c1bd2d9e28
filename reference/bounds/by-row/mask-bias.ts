/**
 * Keys of a large case that a bias masks: Lemma Far keys for all of them at once. spec/bounds.md §10
 *
 * A key under a bias of −b lies at least b − |LSE| − max|q·k| below the LSE, whatever else is true of it. How far
 * below, its score's error and what its exponential loses are linear in b or the larger of two such, so what
 * holds of the smallest and the largest b of a case holds of those between.
 * @module
 */

import { exp } from '../../numbers/float64.ts';
import { entry, nth } from '../../numbers/nth.ts';
import { forEachRun, type Tensor } from '../../numbers/tensor.ts';
import { LOWEST_BIAS } from '../by-pair/magnitudes.ts';
import { type ErrorModel, SLACK } from '../lemmas/error-model.ts';
import { farProbabilityError, recomputedWeight } from '../lemmas/gradient-errors.ts';
import { farWeight, type WeightTerms, weightError } from '../lemmas/step-errors.ts';

/**
 * Largest |bias| of those above −threshold, and the smallest and largest size of the others, either no more than
 * that of LOWEST_BIAS: what is lower weighs less than a key under that.
 */
export interface BiasSplit {
  readonly near: number;
  readonly from: number;
  readonly to: number;
}

/** Where a mask may begin. Free, as Lemma Far keys is of any keys: sharp where a row's others lie above. */
const THRESHOLDS = [2 ** 11, 2 ** 14, 2 ** 17] as const;

/** The splits of a bias that leave numbers on either side; what is not finite is no key, or poison. */
export function biasSplits(bias: Tensor): BiasSplit[] {
  const [near, from] = [THRESHOLDS.map(() => 0), THRESHOLDS.map(() => Number.POSITIVE_INFINITY)];
  let to = 0;
  forEachRun(bias, (_, run) => {
    for (let n = 0; n < run.length; n++) {
      const x = nth(run, n);
      const size = Math.abs(x);
      if (!(size < Number.POSITIVE_INFINITY)) continue;
      const low = Math.min(size, -LOWEST_BIAS);
      if (x < 0 && low > to) to = low;
      for (let k = 0; k < THRESHOLDS.length; k++) {
        if (-x > entry(THRESHOLDS, k)) from[k] = Math.min(entry(from, k), low);
        else if (size > entry(near, k)) near[k] = size;
      }
    }
  });
  return THRESHOLDS.flatMap((_, k) => {
    const [largest = 0, smallest = 0] = [near[k], from[k]];
    return smallest <= to ? [{ near: largest, from: smallest, to }] : [];
  });
}

/** A masked key: |s| at most, LSE − s at least and at most, and the error of its score. */
export interface MaskedKey {
  readonly score: number;
  readonly below: number;
  readonly fromLse: number;
  readonly error: number;
}

/**
 * Are these nothing in any arithmetic? As bounds.ts has it; and P, as large as Lemma Range takes it to be, is
 * below e^−800 but for the error of the LSE.
 */
export const areFar = (model: ErrorModel, ends: readonly MaskedKey[]): boolean =>
  ends.every(({ score, below, error }) => {
    const off = (16 * model.scores + model.stored) * 2 * score + model.storedTiny;
    return below - off > 800 + 8 * error;
  });

/** What is granted to every masked key of a row: P at most, and half of what it may contribute. */
export interface Masked {
  readonly p: number;
  readonly faint: number;
  readonly ends: readonly MaskedKey[];
}

export function maskedKeys(
  model: ErrorModel,
  terms: WeightTerms,
  ends: readonly MaskedKey[],
): Masked {
  const each = (f: (key: MaskedKey) => number): number => Math.max(...ends.map(f)) * SLACK;
  return {
    p: each(({ below }) => exp(-below)),
    faint: each((key) => farWeight(model, terms, key)),
    ends,
  };
}

/** The error of P of any of them. */
export const maskedProbabilityError = (
  model: ErrorModel,
  { ends, p }: Masked,
  { terms, lseError }: { terms: WeightTerms; lseError: number },
): number =>
  SLACK *
  Math.max(
    ...ends.map(({ score, below, fromLse, error }) => {
      const made = weightError(model, terms, score, fromLse, error);
      const weight = recomputedWeight(model, terms, { lseError }, score, fromLse, made);
      return farProbabilityError(model, p, below, weight);
    }),
  );
