/**
 * A profile ready for the lemmas: how many roundings a sum may gather, and what they come to.
 *
 * What a step of attention may lose is in step-errors.ts and gradient-errors.ts, as formulas in this model.
 * Errors of weights are kept in the log domain: a product of factors (1 + εₖ) with Σ|εₖ| ≤ T lies
 * within e^T − 1 of one, and `growth(T)` bounds that from above. All bounds hold for any order of
 * summation. What they are compared with comes in balls, whose radius is added. spec/bounds.md §2
 * @module
 */

import type { CaseParameters, Dtype } from '../../case/case.ts';
import { isMerge, lseDtype } from '../../case/merge-case.ts';
import { exp, log } from '../../numbers/float64.ts';
import { maxFinite, minNormal, minSubnormal, unitRoundoff } from '../../numbers/format.ts';
import { EXACT, type HeldScalars, heldScalars } from './held-scalars.ts';
import type { Profile } from './profile.ts';

const U64 = 2 ** -53;

/** Relative allowance for float64 rounding in the bounds' own sums and products, of up to 2³⁰ terms. bounds.md §6 */
export const SLACK = 1 + 2 ** -20;

/** A profile ready for use on inputs of one dtype, with its law of accumulation. */
export interface ErrorModel extends Profile {
  /** Rounding of an input to the operand format; 0 when the input is already exact there. */
  readonly input: number;
  /** The same near zero, in absolute terms: where the operand format ends before the dtype does. */
  readonly inputTiny: number;
  readonly storedTiny: number;
  /** What a weight may lose near zero before it is summed. Lemma Rounded sum */
  readonly weightTiny: number;
  /** What underflow of a rescaling may cost a sum of weights that exceed one. Lemma Lazy */
  readonly rescaledTiny: number;
  /** Rounding of an input that is no matrix operand (bias, sink, dLSE) to the storage format. */
  readonly stored: number;
  /** The operand format, or that of outputs, ends before the dtype does: an input may overflow there. */
  readonly operandsEnd: boolean;
  readonly storageEnds: boolean;
  /** How far the case's scalars are off as a candidate holds them. */
  readonly held: HeldScalars;
  /** What is merged are partial results that the case gives. Lemma Parts */
  readonly mergesGiven: boolean;
  /** Roundings that a sum of n terms may accumulate, in units of the roundoff. */
  readonly roundings: (n: number) => number;
}

/** e^T − 1 ≤ T + T² for 0 ≤ T ≤ 1 (spec/bounds.md, lemma Growth); infinite stays infinite. */
export function growth(t: number): number {
  if (t <= 1) return t * (1 + t);
  return exp(t) * (1 + 8 * U64);
}

/** Worst case: n roundings, in any order of summation. Lemma Sum. */
function everyRounding(n: number): number {
  return n;
}

/**
 * Higham and Mary (SIAM J. Sci. Comput. 2019, thm 2.4): with mean-independent rounding errors a sum
 * of n terms stays within λ√n·u + n·u² with probability at least 1 − 2·exp(−λ²/2). Never worse than
 * the worst case.
 */
function likelyRoundings(lambda: number, u: number): (n: number) => number {
  return (n) => Math.min(n, lambda * Math.sqrt(n) + 2 * n * u);
}

/** Wanted probability that a right candidate is called improbable on one case. */
const FAILURE_PROBABILITY = 1e-9;

/** λ such that `sums` accumulations all obey the law but for FAILURE_PROBABILITY. */
export function lambdaFor(sums: number): number {
  return Math.sqrt(2 * log((2 * Math.max(1, sums)) / FAILURE_PROBABILITY));
}

/** The model for a profile, the dtype of the inputs, λ (null = worst case), and the case's scalars. */
export function errorModel(
  profile: Profile,
  dtype: Dtype,
  lambda: number | null,
  held: HeldScalars = EXACT,
): ErrorModel {
  const exactInput = unitRoundoff(dtype) >= profile.operand;
  const exactStored = unitRoundoff(dtype) >= profile.output;
  // Subnormal inputs of a coarser format may be rounded; of any, flushed to zero.
  const tiny = minSubnormal(dtype) < minNormal(profile.base) ? profile.tiny : 0;
  const near = (half: number): number => tiny + (minSubnormal(dtype) / 2 >= half ? 0 : half);
  return {
    ...profile,
    input: exactInput ? 0 : profile.operand,
    inputTiny: near(profile.operandTiny),
    storedTiny: near(profile.outputTiny),
    weightTiny: profile.tiny + profile.summedTiny,
    rescaledTiny: profile.tiny * exp(profile.headroom),
    stored: exactStored ? 0 : profile.output,
    operandsEnd: maxFinite(dtype) > maxFinite(profile.base),
    storageEnds: maxFinite(dtype) > profile.outputMax,
    held,
    mergesGiven: false,
    roundings: lambda === null ? everyRounding : likelyRoundings(lambda, profile.accumulation),
  };
}

/** LSEs that are given are held in the format of sums, and not in that of outputs. Lemma Parts */
function withGivenLses(model: ErrorModel, dtype: Dtype): ErrorModel {
  const given = lseDtype(dtype);
  const finer = unitRoundoff(given) < model.accumulation && given !== 'f32';
  return {
    ...model,
    mergesGiven: true,
    stored: finer ? model.accumulation : 0,
    storedTiny: model.tiny + (finer ? minSubnormal('f32') : 0),
    storageEnds: finer,
  };
}

/** The model for a profile and a case. */
export function caseModel(
  profile: Profile,
  parameters: CaseParameters,
  lambda: number | null,
): ErrorModel {
  const { dtype } = parameters;
  const model = errorModel(profile, dtype, lambda, heldScalars(profile, parameters));
  return isMerge(parameters) ? withGivenLses(model, dtype) : model;
}

/** Relative growth of a sum of n products: n + `extra` roundings at `u`, `other` beside. Lemma Dot. */
export function sumGrowth(
  model: ErrorModel,
  n: number,
  extra: number,
  u: number,
  other = 0,
): number {
  return growth((model.roundings(n) + extra) * u + other);
}

/** The model of the definition itself run in a system of unit roundoff u, nothing rounded at the end. */
export function referenceModel(u: number, tiny: number): ErrorModel {
  return {
    name: 'f64',
    base: 'f64',
    operand: u,
    scaledOperand: u,
    scores: u,
    exponential: u,
    probabilities: u,
    accumulation: u,
    output: u,
    tanh: 8 * u,
    tiny,
    operandTiny: 0,
    outputTiny: tiny,
    outputMax: Number.POSITIVE_INFINITY,
    outputFormat: 'f64',
    subtractsInMerges: false,
    headroom: 0,
    partial: 0,
    partialTiny: 0,
    anchored: false,
    summed: 0,
    summedTiny: 0,
    weightTiny: tiny,
    rescaledTiny: tiny,
    input: u,
    inputTiny: 0,
    storedTiny: 0,
    stored: u,
    operandsEnd: true,
    storageEnds: true,
    held: EXACT,
    mergesGiven: false,
    roundings: everyRounding,
  };
}
