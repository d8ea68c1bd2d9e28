/**
 * What options of a profile cost beyond step-errors.ts, as formulas: merges that subtract, and running
 * maxima that stay behind.
 * spec/bounds.md §3
 * @module
 */
import { type ErrorModel, growth, SLACK } from './error-model.ts';
import { hullError } from './step-errors.ts';

/**
 * Merges on the way of a key at most: of the parts that one rank splits its keys into, at once; of the
 * ranks, one after another; of the sink. spec/bounds.md §3, Weight
 */
export const mostMerges = (ranks: number, sink: boolean): number => ranks + (sink ? 1 : 0);

/** Roundings of one merge that subtracts, relative to the larger of its parts. */
const SUBTRACTIONS = 30;

/**
 * Lemma Sigmoid: what `merges` merges by O − σ(O − O_b) lose of an output, relative to `top`, the
 * largest partial output: a weight that becomes small damps none of it. Coq: subtracted_error
 */
export function subtractedError(model: ErrorModel, merges: number, top: number): number {
  if (!model.subtractsInMerges) return 0;
  const { accumulation: uA, tiny } = model;
  return (top + tiny / uA) * growth(SUBTRACTIONS * merges * uA);
}

/**
 * Lemma Sigmoid: what LSE − log σ(LSE − LSE_b) costs a weight, in the log domain; `reach` is the
 * largest size of a partial LSE. Coq: sigmoid_lse_error
 */
export function sigmoidLseError(model: ErrorModel, merges: number, reach: number): number {
  return model.subtractsInMerges ? merges * (22 + 9 * reach) * model.accumulation : 0;
}

/**
 * What the options of a profile cost every weight, in the log domain: merges that subtract, and its own rounding
 * before it is summed. Lemmas Sigmoid and Rounded sum. Coq: granted
 */
export const grantedError = (model: ErrorModel, merges: number, reach: number): number =>
  sigmoidLseError(model, merges, reach) + model.summed;

/**
 * Lemma Sigmoid: no partial LSE of a row is larger in size; `largest` is the largest |LSE| or |s| + Δs of it, of
 * its sink and far keys too. Coq: logit_reach
 */
export const logitReach = (largest: number, slack: number): number => largest + slack + 1;

/**
 * Lemma Sigmoid: the largest that an average of some keys of a row can be, and so a partial output; unbounded
 * where it is not proved. Coq: part_size
 */
export function partialSize(
  top: number,
  { rounded, flushes, lost }: { rounded: number; flushes: number; lost: number },
): number {
  if (!(rounded * SLACK <= 0.5 && flushes * SLACK < 1)) return Number.POSITIVE_INFINITY;
  return SLACK * hullError({ out: 0, top, rounded, flushes, lost });
}
