/**
 * The bounds of a row of a large case, from its facts: the lemmas of bounds.ts and bounds-backward.ts
 * with every magnitude the largest of the row's keys. spec/bounds.md §10
 *
 * All errors of one pair are affine and rise in its P. So Σ_j f(P_j)·w_j ≤ f(0)·Σw_j + (f(1) − f(0))·
 * Σ_j P_j w_j, and the P of single pairs is not needed.
 * @module
 */

import type { CaseParameters } from '../../case/case.ts';
import { nth } from '../../numbers/nth.ts';
import { roundedBeside } from '../by-pair/bounds.ts';
import { scoreError, scoreSteps } from '../by-pair/score-steps.ts';
import { errorOfSum, summing } from '../by-pair/summed.ts';
import { type ErrorModel, growth, SLACK } from '../lemmas/error-model.ts';
import {
  etaIn,
  fromKey,
  fromKeyTerms,
  fromOutput,
  probabilityError,
  recomputedWeight,
  scoreGradientError,
  scoreGradientTerms,
  softcapGradientError,
} from '../lemmas/gradient-errors.ts';
import {
  heldGradientError,
  heldGradientTerms,
  heldKeyConstant,
  heldKeyOfOperand,
  heldKeyTerms,
} from '../lemmas/held-errors.ts';
import {
  grantedError,
  logitReach,
  mostMerges,
  partialSize,
  subtractedError,
} from '../lemmas/merge-errors.ts';
import {
  convertedError,
  dividedError,
  finalRounding,
  flush,
  quotient,
  unroundedError,
  type WeightTerms,
  weightError,
} from '../lemmas/step-errors.ts';
import { operandErrors } from './largest.ts';
import { areFar, type MaskedKey, maskedKeys, maskedProbabilityError } from './mask-bias.ts';
import { dot, type RowFacts, sumOf } from './row-facts.ts';

/** Σ_j w_j at most, and Σ_j P_j w_j at most. */
interface Sums {
  readonly plain: number;
  readonly weighted: number;
}

/** Σ_j f(P_j)·w_j at most, of an f that is affine and rises. */
function overKeys(f: (p: number) => number, { plain, weighted }: Sums): number {
  const [none, all] = [f(0), f(1)];
  return none * plain + Math.max(0, all - none) * weighted;
}

/**
 * Σ_j f(P_j, g_j) at most, of an f that is affine in either, rises, and rises in one the faster the larger the
 * other is: Σ P ≤ 1, g_j ≤ `largest`, Σ P_j g_j ≤ `weighted`.
 */
function overKeyPairs(
  f: (p: number, g: number) => number,
  { count, largest, weighted }: { count: number; largest: number; weighted: number },
): number {
  const [none, ofG, ofP] = [f(0, 0), f(0, largest), f(1, 0)];
  const both = Math.max(0, f(1, largest) - ofG - ofP + none);
  const share = largest > 0 ? weighted / largest : 0;
  return count * ofG + Math.max(0, ofP - none) + share * both;
}

/** What the bounds of a row rest on under one model. */
export interface RowErrors {
  readonly terms: WeightTerms;
  /** Largest log-domain error of a weight, and of tanh. */
  readonly weight: number;
  /** Largest part of one that is not its score's. */
  readonly rounded: number;
  readonly tError: number;
  readonly denominator: number;
  readonly lseError: number;
  /** |s|, |s − LSE| and |bias| at most, of keys that are not masked far below the others. */
  readonly near: { readonly score: number; readonly fromLse: number; readonly bias: number | null };
  /** What the masked ones add to a sum that is 1, and the error of P of one; 0 without. */
  readonly ofMasked: number;
  readonly pOfMasked: number;
  /** Errors of each component of its keys and values as operands, at most. */
  readonly ofKeys: Float64Array;
  readonly ofValues: Float64Array;
  /** Error of each component of the output after its final rounding, [dv]. */
  readonly out: Float64Array;
}

/** Terms of the row's sum, its sink one of them. */
const termCount = ({ count, sink }: RowFacts): number => count + (sink === null ? 0 : 1);

/** The scores of a row under biases of one size at most: |s|, |s − LSE|, and their errors. */
interface RowScores {
  readonly score: number;
  readonly fromLse: number;
  readonly bias: number | null;
  readonly error: number;
  readonly tError: number;
}

/** Lemmas Score, Softcap and Bias. */
function scoresOf(
  p: CaseParameters,
  model: ErrorModel,
  row: RowFacts,
  [ofKeys, bias]: readonly [Float64Array, number | null],
): RowScores {
  const score = (row.capped + (bias ?? 0)) * SLACK;
  const errors = scoreError(scoreSteps(p, model, bias !== null), {
    ...{ raw: row.raw, least: 0, capped: row.capped, score, bias: bias ?? 0 },
    ...{ magnitude: row.products, carried: dot(row.query, ofKeys) },
    sizes: row.sizes + sumOf(ofKeys),
  });
  return {
    score,
    fromLse: bias === row.bias ? row.fromLse : (row.lse + score) * SLACK,
    bias,
    ...errors,
  };
}

/** The scores of the keys that are not masked, and the ends of those that are; all of them where none may be. */
function split(
  p: CaseParameters,
  model: ErrorModel,
  row: RowFacts,
  ofKeys: Float64Array,
): { near: RowScores; all: RowScores; ends: readonly MaskedKey[] } {
  const all = scoresOf(p, model, row, [ofKeys, row.bias]);
  for (const { near, from, to } of row.splits) {
    const ends = [from, to].map((bias): MaskedKey => {
      const { score, fromLse, error } = scoresOf(p, model, row, [ofKeys, bias]);
      return { score, fromLse, error, below: bias / SLACK - (row.lse + row.capped) * SLACK };
    });
    if (areFar(model, ends)) return { near: scoresOf(p, model, row, [ofKeys, near]), all, ends };
  }
  return { near: all, all, ends: [] };
}

/** Lemmas Score to Output for a whole row. */
export function rowErrors(p: CaseParameters, model: ErrorModel, row: RowFacts): RowErrors {
  const ofKeys = operandErrors(model, row.largestKey);
  const ofValues = operandErrors(model, row.largestValue);
  const sinkError = row.sink === null ? 0 : model.stored * row.sink.score + model.storedTiny;
  const { near, all, ends } = split(p, model, row, ofKeys);
  const { error, tError } = near;
  const n = termCount(row);
  const merges = mostMerges(p.partition.ranks, row.sink !== null);
  const operations = 3 * n + merges;
  const slack = 1 + Math.max(error, sinkError) + model.headroom;
  // A partial result may be of masked keys alone.
  const ofSink = row.sink === null ? 0 : row.sink.score + sinkError;
  const reach = logitReach(Math.max(all.score + all.error, row.lse, ofSink), slack);
  const terms: WeightTerms = {
    summed: model.roundings(n),
    merges,
    lse: row.lse,
    slack,
    granted: grantedError(model, model.roundings(n), reach),
  };
  let weight = weightError(model, terms, near.score, near.fromLse, error);
  let rounded = weight - error;
  if (row.sink !== null) {
    const { score: size, fromLse } = row.sink;
    const sinkWeight = weightError(model, terms, size, fromLse, sinkError);
    weight = Math.max(weight, sinkWeight);
    rounded = Math.max(rounded, sinkWeight - sinkError);
  }
  // Σ P, the sink's included, is one.
  const lost = 2 * n * flush(model, { leaf: model.weightTiny, size: 1, operations });
  // Lemma Denominator asks as much of every key that is not far.
  const proved = (rounded + roundedBeside(model)) * SLACK <= 0.5;
  const masked = ends.length === 0 ? null : maskedKeys(model, terms, ends);
  const ofMasked = masked === null ? 0 : row.count * (masked.p + 2 * masked.faint);
  const denominator = proved ? lost + growth(weight) + ofMasked : Number.POSITIVE_INFINITY;
  const lseError = convertedError(model, row.lse, quotient(denominator));
  const found = { terms, weight, rounded, tError, denominator, lseError, ofKeys, ofValues };
  const sizes = { near, ofMasked, pOfMasked: 0 };
  if (masked !== null) sizes.pOfMasked = maskedProbabilityError(model, masked, { terms, lseError });
  return { ...found, ...sizes, out: outErrors(model, row, { ...found, ...sizes }) };
}

/** Lemma Output for every component. */
function outErrors(
  model: ErrorModel,
  row: RowFacts,
  { weight, rounded, denominator, terms, ofValues, ofMasked }: Omit<RowErrors, 'out'>,
): Float64Array {
  if (!(denominator < 1)) return row.out.map(() => Number.POSITIVE_INFINITY);
  const [n, { largestValue }, off] = [termCount(row), row, model.held.kappa];
  const kappa = row.kappa * (1 + off);
  const operations = 3 * n + terms.merges;
  const beside = roundedBeside(model);
  const grown = growth(weight + beside);
  const leaf = kappa * (model.weightTiny + model.operandTiny) + model.tiny;
  const flushed =
    2 * (flush(model, { leaf, size: kappa, operations }) - operations * 8 * model.rescaledTiny);
  const flushes = 2 * n * flush(model, { leaf: model.weightTiny, size: 1, operations });
  const base =
    2 * n * flush(model, { leaf: model.tiny, size: 0, operations }) +
    model.partialTiny * (1 + grown + flushes + 2 * ofMasked);
  return row.out.map((size, c) => {
    // κP|V| is in `values`; κ is at most `kappa` where only P is.
    const largest = nth(largestValue.columns, c);
    const ofV = grown * (1 + off) * nth(row.values, c) + (flushed * n + kappa * ofMasked) * largest;
    const ofError = nth(ofValues, c) * (kappa * (1 + grown + 2 * ofMasked) + flushed * n);
    const top = kappa * (largest + nth(ofValues, c));
    const part = partialSize(top + model.partialTiny, {
      rounded: rounded + beside,
      flushes,
      lost: base + flushed * n * top,
    });
    const numerator = base + ofV + ofError + subtractedError(model, terms.summed, part);
    const most = size * (1 + off);
    const divided = size * off + dividedError(numerator, most, denominator, 1 - denominator);
    const unrounded = unroundedError(model, size, divided);
    return unrounded + finalRounding(model, size + unrounded);
  });
}

/** The errors of P, G and D of a row, at most. */
export interface GradientErrors {
  readonly pError: (p: number) => number;
  readonly g: number;
  readonly gError: number;
  readonly dError: number;
}

/** Lemmas dP, Recomputed P and D for a whole row. */
export function gradientErrors(
  p: CaseParameters,
  model: ErrorModel,
  row: RowFacts,
  errors: RowErrors,
): GradientErrors {
  const { head_dim_v: width } = p;
  const sizes = row.cotangentSum + width * etaIn(model) + row.valueSum + sumOf(errors.ofValues);
  const carried = dot(row.dOut, errors.ofValues);
  const g = row.kappa * row.gProducts;
  const ofG = heldGradientTerms(model, width);
  const gError = heldGradientError(ofG, row.kappa, row.gProducts, carried, sizes, g);
  const { near, weight } = errors;
  const grown = growth(recomputedWeight(model, row, errors, near.score, near.fromLse, weight));
  const none = probabilityError(model, 0, grown);
  const beside = Math.max(0, errors.pOfMasked - none);
  const pError = (p: number): number => probabilityError(model, p, grown) + beside;
  const [outError, outSum] = [errors.out, row.outSum + errors.out.reduce((sum, x) => sum + x, 0)];
  const ofOutput = row.dOut.reduce((sum, x, c) => sum + x * nth(outError, c), 0);
  const ofKey = fromKeyTerms(model, row.count);
  const one = (p: number, size: number): number => fromKey(ofKey, p, pError(p), size, gError);
  const weighted = Math.min(g, dot(row.dOut, row.values) * SLACK);
  const fromKeys = overKeyPairs(one, { count: row.count, largest: g, weighted });
  const ofOut = fromOutput(model, width, [row.dProducts, ofOutput, outSum]);
  return { pError, g, gError, dError: Math.max(ofOut, fromKeys) };
}

/** Lemmas dS, Softcap factor and Accumulate for dQ of a row; the rounding radius of it aside. */
export function queryErrors(
  p: CaseParameters,
  model: ErrorModel,
  row: RowFacts,
  errors: RowErrors,
  exact: Float64Array,
): Float64Array {
  const { pError, g, gError, dError } = gradientErrors(p, model, row, errors);
  const scale = Math.abs(p.scale);
  const t = p.softcap === 0 ? 0 : Math.min(1, row.raw / p.softcap);
  const bracket = g + row.d + row.dLse;
  const slope = { slope: 1, t, tError: errors.tError };
  const ofScore = scoreGradientTerms(model, row, dError);
  const ofKey = heldKeyTerms(model, scale);
  const term = (weight: number) => {
    const dS = weight * bracket;
    const dSError = scoreGradientError(ofScore, weight, pError(weight), g, gError);
    const rawError = softcapGradientError(model, p.softcap, [dS, dSError], slope);
    const ofOperand = heldKeyOfOperand(ofKey, dS, rawError);
    return { raw: dS, ofOperand, constant: heldKeyConstant(ofKey, dS, rawError) };
  };
  const ofOperand = (weight: number): number => term(weight).ofOperand;
  const each = { plain: row.count, weighted: 1 };
  const constant = overKeys((weight) => term(weight).constant, each);
  const ofError = overKeys((weight) => ofOperand(weight) + scale * term(weight).raw, each);
  const { ranks } = p.partition;
  const sum = summing({ ...model, anchored: false }, { count: row.count, ranks });
  return exact.map((size, c) => {
    const [weighted, largest] = [row.keys?.[c] ?? Number.NaN, nth(row.largestKey.columns, c)];
    const ofKeys = overKeys(ofOperand, { plain: row.count * largest, weighted });
    const made = ofKeys + constant + ofError * nth(errors.ofKeys, c);
    return errorOfSum(sum, made, scale * bracket * weighted, size, 0);
  });
}
