/**
 * The numbers that Lemma Range compares: the largest of each format of a profile, and what an honest
 * candidate may do to an operand before it is stored. spec/bounds.md §4
 * @module
 */

import type { CaseParameters } from '../../case/case.ts';
import { exp } from '../../numbers/float64.ts';
import { maxFinite } from '../../numbers/format.ts';
import { nth } from '../../numbers/nth.ts';
import { forEachRun, type Tensor } from '../../numbers/tensor.ts';
import { type ErrorModel, SLACK } from '../lemmas/error-model.ts';
import { projectionError, projectionTerms } from '../lemmas/step-errors.ts';

/** Sums of magnitudes are themselves computed, and intermediates are off by their own errors. */
export const MARGIN = 2;

/** Largest numbers of the formats of a profile, less the margin. */
export interface Limits {
  readonly operand: number;
  readonly sum: number;
  /** For a sum of values that weights multiply which may exceed one. */
  readonly weighted: number;
  readonly output: number;
}

export function limitsOf(model: ErrorModel): Limits {
  const sum = maxFinite(model.base === 'f64' ? 'f64' : 'f32') / MARGIN;
  return {
    operand: maxFinite(model.base) / MARGIN,
    sum,
    weighted: sum / exp(model.headroom),
    output: model.outputMax / MARGIN,
  };
}

/** Also true of NaN. */
export const over = (x: number, limit: number): boolean => !(Math.abs(x) <= limit);

/** The scale where it multiplies most: on Q, or its root on both, or not yet at all. */
export function scales(scale: number): { q: number; k: number; product: number } {
  const size = Math.abs(scale);
  const root = Math.sqrt(size);
  return { q: Math.max(1, size, root), k: Math.max(1, root), product: Math.max(1, size) };
}

/** Scale and softcap are held in the format that is summed in; c·log₂e and 1/c may be too. */
export function scalarsFit(
  { scale, softcap, seq_kv }: Pick<CaseParameters, 'scale' | 'softcap' | 'seq_kv'>,
  limits: Limits,
): boolean {
  if (seq_kv === 0) return true;
  const capped = softcap === 0 || !(over(4 * softcap, limits.sum) || over(4 / softcap, limits.sum));
  return capped && !over(scale, limits.sum);
}

/** Is 1 − rate, as held, no less than half of itself? Its inverse may be infinite otherwise. */
export const keptFits = ({ held }: ErrorModel): boolean => held.kappa <= 1;

/** May an input be too large an operand, as it comes? */
export const narrowed = (model: ErrorModel): boolean => model.operandsEnd;

/** An operand that is the input itself fits its format; a rounded or scaled one may not. */
export const changed = (model: ErrorModel, factor: number): boolean =>
  narrowed(model) || factor > 1;

/** Bias, sink and dLSE are stored in the output format when it ends before the case's dtype does. */
export const fitsStorage = (model: ErrorModel, { output }: Limits, x: number): boolean =>
  !model.storageEnds || !over(x, output);

function each(tensor: Tensor, visit: (x: number) => void): void {
  forEachRun(tensor, (_, run) => {
    for (let n = 0; n < run.length; n++) visit(nth(run, n));
  });
}

/** Largest |x|; infinite where an element is NaN. */
export function largest(tensor: Tensor): number {
  let max = 0;
  each(tensor, (x) => {
    const size = Math.abs(x);
    if (!(size <= max)) max = size >= 0 ? size : Number.POSITIVE_INFINITY;
  });
  return max;
}

/** Largest finite |x| of an input, 0 without it: what is not finite is poison, which nobody reads. */
export function largestInput(tensor: Tensor | undefined): number {
  let max = 0;
  if (tensor === undefined) return max;
  each(tensor, (x) => {
    const size = Math.abs(x);
    if (size > max && size < Number.POSITIVE_INFINITY) max = size;
  });
  return max;
}

/** Largest magnitudes of recomputed keys and of what they are made of. */
export interface KeySizes {
  readonly dimY: number;
  readonly y: number;
  readonly w: number;
  readonly k: number;
}

/** Largest error of a recomputed key (Lemma Recompute on the largest magnitudes), or of an input's. */
export function keyErrorOf(sizes: KeySizes | null, model: ErrorModel): number {
  if (sizes === null) return model.inputTiny;
  const { dimY, y, w, k } = sizes;
  return projectionError(projectionTerms(model, dimY), {
    ...{ magnitude: dimY * y * w, sizes: dimY * (y + w), x: k },
  });
}

/**
 * The weight of the largest score of a row: 1, or off by what a subtraction fused as s·c − m·c rounds,
 * and that may be much where the score is −10⁹ itself.
 */
export const fusedAtMost = (model: ErrorModel, score: number): number =>
  exp(model.exponential * Math.abs(score)) * SLACK;
