/**
 * The loops over a row's keys by the kernels: what magnitudes.ts, bounds.ts, out-errors.ts and bounds-backward.ts
 * have in words, operation for operation, two keys at a time. products.test.ts compares every bit.
 *
 * Arrays lie in the kernels' memory and have room for a multiple of eight numbers. What is rare is left to the
 * loops in words, as is what comes by places of keys where a row does not see all.
 * @module
 */

import { nth, whole } from '../../numbers/nth.ts';
import type { ErrorModel } from '../lemmas/error-model.ts';
import {
  type FromKeyTerms,
  probabilityError,
  type ScoreGradientTerms,
} from '../lemmas/gradient-errors.ts';
import type {
  HeldGradientTerms,
  HeldKeyTerms,
  HeldScoreTerms,
  HeldValueTerms,
} from '../lemmas/held-errors.ts';
import type { WeightTerms } from '../lemmas/step-errors.ts';
import type { Brought } from './operands.ts';
import type { RowKernels, RowMagnitudes, RowProducts } from './row-magnitudes.ts';

/** How many facts, results and arrays of keys in order are asked for, at most. */
export const FACTS = 16;
export const RESULTS = 4;
export const IN_ORDER = 4;

const at = (x: Float64Array | null): number => x?.byteOffset ?? 0;

function tell({ facts }: RowKernels, numbers: readonly number[]): number {
  facts.view.set(numbers);
  return facts.at;
}

function room({ inOrder }: RowKernels, n: number): Float64Array {
  const found = inOrder[n];
  if (found === undefined) throw new Error(`no room ${n} for keys in order`);
  return found;
}

/** Is what comes by places of keys there in the order of the row's keys? */
const inPlace = ({ seesAll }: RowMagnitudes, brought: Brought | null): boolean =>
  seesAll || brought === null || brought.each === null;

/** Where keys' numbers are to go, or room for them before they go to their places. */
const target = (k: RowKernels, n: number, row: RowMagnitudes, to: Float64Array): Float64Array =>
  row.seesAll ? to : room(k, n);

/** From such room to their places. */
function place(row: RowMagnitudes, from: Float64Array, to: Float64Array): void {
  if (from === to) return;
  for (let n = 0; n < row.count; n++) to[whole(row.j, n)] = nth(from, n);
}

/** The same of what is added to what is there. */
function placeSum(row: RowMagnitudes, from: Float64Array, to: Float64Array): void {
  if (from === to) return;
  for (let n = 0; n < row.count; n++) {
    const j = whole(row.j, n);
    to[j] = nth(to, j) + nth(from, n);
  }
}

/** Lemma Score in float64, of a row that sees all keys, without softcap and bias. */
export function fillScores(
  k: RowKernels,
  { dot, products, carried, keySizes, querySize }: RowProducts,
  to: RowMagnitudes,
  facts: { scale: number; gamma: number; flushed: number; tiny: number },
): void {
  const { scale, gamma, flushed, tiny } = facts;
  const told = tell(k, [scale, Math.abs(scale), gamma, flushed, tiny, querySize]);
  k.run.rowScores(
    ...([at(dot), at(products), at(carried), at(keySizes), at(to.sizes)] as const),
    ...([at(to.score), at(to.fromLse), to.count, told] as const),
  );
}

/** fillWeights of magnitudes.ts, but for what Lemma Anchored asks; `round` as of scores without softcap and bias. */
export function fillWeights(k: RowKernels, lse: { mid: number; rad: number }, to: RowMagnitudes) {
  const told = tell(k, [lse.mid, lse.rad]);
  k.run.rowWeights(at(to.score), at(to.fromLse), at(to.below), at(to.p), to.count, told);
}

/** fromLse += |score|·by */
export function addSizes(k: RowKernels, to: RowMagnitudes, by: number): void {
  k.run.rowAddSizes(at(to.fromLse), at(to.score), to.count, by);
}

/** |G| and |dS| of a row that sees all keys. */
export function fillGradients(
  k: RowKernels,
  { gDot, gCarried }: RowProducts,
  to: RowMagnitudes,
  facts: readonly [gamma: number, flushed: number, d: number, dError: number, cotangent: number],
): void {
  const told = tell(k, [...facts, to.d, to.dLse]);
  k.run.rowGradients(
    ...([at(gDot), at(to.gProducts), at(gCarried), at(to.kappa), at(to.p)] as const),
    ...([at(to.g), at(to.dS), to.count, told] as const),
  );
}

export const largestOf = (k: RowKernels, x: Float64Array, count: number): number =>
  k.run.rowLargest(at(x), count);

export const sumOf = (k: RowKernels, x: Float64Array, count: number): number =>
  k.run.rowSum(at(x), count);

/** rawErrors of score-steps.ts; the largest error that is of no far key, and the largest |s| + Δs. Null where it cannot. */
export function rawErrors(
  k: RowKernels,
  raw: HeldScoreTerms | null,
  operands: { readonly carried: Brought; readonly spread: Brought } | null,
  row: RowMagnitudes,
  to: Float64Array,
): { readonly error: number; readonly logit: number } | null {
  const [carried, spread] = [operands?.carried ?? null, operands?.spread ?? null];
  if (raw === null || !inPlace(row, carried) || !inPlace(row, spread)) return null;
  const { scale, grown, eta, squares, flushed, off } = raw;
  const beside = [carried?.all ?? 0, spread?.all ?? 0];
  const told = tell(k, [scale, grown, eta, squares, flushed, off, ...beside]);
  k.run.rowScoreErrors(
    ...([at(row.products), at(carried?.each ?? null), at(spread?.each ?? null)] as const),
    ...([at(row.sizes), at(row.score), at(row.below), at(to), row.count] as const),
    ...([told, k.results.at] as const),
  );
  return { error: nth(k.results.view, 0), logit: nth(k.results.view, 1) };
}

/** What the keys of a row come to where none is far; null where one is. */
export function weigh(
  k: RowKernels,
  { model, beside }: { model: ErrorModel; beside: number },
  { merges, lse, slack, summed, granted }: WeightTerms,
  row: RowMagnitudes,
  to: { scoreError: Float64Array; weight: Float64Array; flushes: number },
): { readonly denominator: number; readonly rounded: number } | null {
  const { exponential: uE, accumulation: uA, mergesGiven } = model;
  const ofRow = [merges, lse, slack, 8 * summed * uA, granted, beside, to.flushes];
  const told = tell(k, [uE, uA, ...ofRow]);
  const done = k.run.rowWeigh(
    ...([at(row.score), at(row.fromLse), at(row.below), at(row.p), at(to.scoreError)] as const),
    ...([at(to.weight), row.count, mergesGiven, told, k.results.at] as const),
  );
  if (done === 0) return null;
  return { denominator: nth(k.results.view, 0), rounded: nth(k.results.view, 1) };
}

/** weighValues of out-errors.ts where no key of the row is far. */
export function weighValues(
  k: RowKernels,
  model: ErrorModel,
  { beside, operations }: { beside: number; operations: number },
  [row, weight]: readonly [RowMagnitudes, Float64Array],
  to: { readonly ofV: Float64Array; readonly ofError: Float64Array | null },
): void {
  const ofV = target(k, 0, row, to.ofV);
  const ofError = to.ofError === null ? null : target(k, 1, row, to.ofError);
  const rescaled = 8 * model.rescaledTiny;
  const told = tell(k, [
    ...[1 + model.held.kappa, beside, model.weightTiny + model.operandTiny, model.tiny],
    ...[operations, rescaled, operations * 8 * model.rescaledTiny],
  ]);
  const { p, kappa, count } = row;
  k.run.rowValues(at(p), at(kappa), at(weight), at(ofV), at(ofError), count, told);
  place(row, ofV, to.ofV);
  if (ofError !== null && to.ofError !== null) place(row, ofError, to.ofError);
}

/** κP, scale·|dS| and the number of terms of each key. */
export function addMagnitudes(
  k: RowKernels,
  row: RowMagnitudes,
  scale: number,
  to: { ofCotangent: Float64Array; ofOperand: Float64Array; terms: Float64Array },
): void {
  const ofCotangent = target(k, 0, row, to.ofCotangent);
  const ofOperand = target(k, 1, row, to.ofOperand);
  const terms = target(k, 2, row, to.terms);
  if (terms !== to.terms) terms.fill(0, 0, row.count);
  k.run.rowMagnitudes(
    ...([at(row.kappa), at(row.p), at(row.dS), at(row.slope)] as const),
    ...([at(ofCotangent), at(ofOperand), at(terms), row.count, scale] as const),
  );
  place(row, ofCotangent, to.ofCotangent);
  place(row, ofOperand, to.ofOperand);
  placeSum(row, terms, to.terms);
}

/** What the errors of P and G of a row rest on. */
export interface Probabilities {
  readonly model: ErrorModel;
  /** Σ|dO|, and what near zero is lost of it. */
  readonly own: number;
  readonly gradient: HeldGradientTerms;
  readonly ofKey: FromKeyTerms;
  readonly lse: number;
  readonly lseError: number;
}

/** fillScratch of bounds-backward.ts, and Σ fromKey over the keys; null where it cannot. */
export function fillProbabilities(
  k: RowKernels,
  { model, own, gradient, ofKey, lse, lseError }: Probabilities,
  values: { sizes: Float64Array; carried: Brought | null; made: Brought | null },
  [row, weight]: readonly [RowMagnitudes, Float64Array],
  to: { readonly pError: Float64Array; readonly gError: Float64Array },
): number | null {
  const { carried, made } = values;
  if (!inPlace(row, carried) || !inPlace(row, made)) return null;
  const sizes = row.seesAll ? values.sizes : room(k, 0);
  if (!row.seesAll) {
    for (let n = 0; n < row.count; n++) sizes[n] = nth(values.sizes, whole(row.j, n));
  }
  const { exponential: uE, accumulation: uA, probabilities: uP } = model;
  const told = tell(k, [
    ...[own, carried?.all ?? 0, made?.all ?? 0],
    ...[gradient.grown, gradient.flushed, gradient.input, gradient.off],
    ...[lseError + 2 * uA * (lse + lseError), uE, 2 * lse, uP, probabilityError(model, 0, 0)],
    ...[ofKey.perKey, ofKey.flushed],
  ]);
  return k.run.rowProbabilities(
    ...([at(row.gProducts), at(carried?.each ?? null), at(sizes), at(made?.each ?? null)] as const),
    ...([at(row.kappa), at(row.g), at(row.score), at(row.fromLse), at(row.below)] as const),
    ...([at(weight), at(row.p), at(to.gError), at(to.pError), row.count, told] as const),
  );
}

/** Lemma dS for every key. */
export function fillScoreGradients(
  k: RowKernels,
  { rounded, stored, d, dLse, dError, tiny }: ScoreGradientTerms,
  { p, g, count }: RowMagnitudes,
  to: { pError: Float64Array; gError: Float64Array; dSError: Float64Array },
): void {
  const told = tell(k, [rounded, stored, d, dLse, dError, tiny]);
  const { pError, gError, dSError } = to;
  k.run.rowScoreGradients(at(p), at(pError), at(g), at(gError), at(dSError), count, told);
}

/** addValues of bounds-backward.ts. */
export function addValues(
  k: RowKernels,
  { grown, flushed, input, tiny, own, off }: HeldValueTerms,
  [row, pError]: readonly [RowMagnitudes, Float64Array],
  to: { readonly ofCotangent: Float64Array; readonly beside: Float64Array },
): void {
  const ofCotangent = target(k, 0, row, to.ofCotangent);
  const beside = target(k, 1, row, to.beside);
  if (beside !== to.beside) beside.fill(0, 0, row.count);
  const told = tell(k, [grown, flushed, input, tiny, own, off]);
  const { kappa, p, count } = row;
  k.run.rowValueTerms(at(kappa), at(p), at(pError), at(ofCotangent), at(beside), count, told);
  place(row, ofCotangent, to.ofCotangent);
  placeSum(row, beside, to.beside);
}

/** addKeys of bounds-backward.ts without softcap, of a profile that is not anchored: Σ of the constants. */
export function addKeys(
  k: RowKernels,
  terms: HeldKeyTerms,
  scale: number,
  [row, dSError]: readonly [RowMagnitudes, Float64Array],
  to: {
    readonly ofOperand: Float64Array;
    readonly ofKeyError: Float64Array | null;
    readonly beside: Float64Array;
  },
): number {
  const ofOperand = target(k, 0, row, to.ofOperand);
  const ofKeyError = to.ofKeyError === null ? null : target(k, 1, row, to.ofKeyError);
  const beside = target(k, 2, row, to.beside);
  if (beside !== to.beside) beside.fill(0, 0, row.count);
  const { rounded, flush, flushed, squares, own, tiny, off } = terms;
  const told = tell(k, [terms.scale, rounded, flush, flushed, squares, own, tiny, off, scale]);
  const query = k.run.rowKeyTerms(
    ...([at(row.dS), at(dSError), at(ofOperand), at(ofKeyError), at(beside)] as const),
    ...([row.count, told] as const),
  );
  place(row, ofOperand, to.ofOperand);
  if (ofKeyError !== null && to.ofKeyError !== null) place(row, ofKeyError, to.ofKeyError);
  placeSum(row, beside, to.beside);
  return query;
}
