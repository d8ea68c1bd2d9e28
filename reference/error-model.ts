/**
 * The lemmas of spec/bounds.md as functions: what one step of attention may lose.
 *
 * Errors of weights are kept in the log domain: a product of factors (1 + εₖ) with Σ|εₖ| ≤ T lies
 * within e^T − 1 of one, and `growth(T)` bounds that from above. All bounds hold for any order of
 * summation. The float64 reference's own error is inside: every roundoff is the candidate's plus
 * 2⁻⁵³, and each bound is superadditive in the roundoffs (a power series with coefficients ≥ 0 and
 * no constant term), so bound(u + v) ≥ bound(u) + bound(v). spec/bounds.md §2
 * @module
 */
import { exp, log } from './arithmetic/float64.ts';
import type { Dtype } from './case.ts';
import { unitRoundoff } from './format.ts';
import type { Profile } from './profile.ts';

const U64 = 2 ** -53;

/** A profile ready for use: roundoffs with the reference's added, and the accumulation law. */
export interface ErrorModel extends Profile {
  /** Rounding of an input to the operand format; only 2⁻⁵³ when the input is already exact there. */
  readonly input: number;
  /** Rounding of an input that is no matrix operand (bias, sink, dLSE) to the storage format. */
  readonly stored: number;
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

/** The model for a profile, the dtype of the inputs, and λ (null = worst case). */
export function errorModel(profile: Profile, dtype: Dtype, lambda: number | null): ErrorModel {
  const exactInput = unitRoundoff(dtype) >= profile.operand;
  const exactStored = unitRoundoff(dtype) >= profile.output;
  const plus = (u: number): number => u + U64;
  return {
    ...profile,
    operand: plus(profile.operand),
    scores: plus(profile.scores),
    exponential: plus(profile.exponential),
    probabilities: plus(profile.probabilities),
    accumulation: plus(profile.accumulation),
    output: plus(profile.output),
    tanh: profile.tanh + 8 * U64,
    tiny: profile.tiny + 2 ** -1022,
    input: plus(exactInput ? 0 : profile.operand),
    stored: plus(exactStored ? 0 : profile.output),
    roundings: lambda === null ? everyRounding : likelyRoundings(lambda, profile.accumulation),
  };
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
    operand: u,
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
    input: u,
    stored: u,
    roundings: everyRounding,
  };
}
