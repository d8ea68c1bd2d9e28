/**
 * Bounds of the gradients, from the rows of bounds.ts. spec/bounds.md §4
 *
 * dS = P∘(G − D + dLSE) cancels, so its error is relative to P·(|G| + |D| + |dLSE|), never to dS.
 * P may be recomputed from a stored LSE, D taken from the rounded output or summed as P∘G, P and dS
 * rounded to the operand format before their matrix products. Sums over rows collect, for each key,
 * an error already made and, once for all models, the magnitude and number of what is summed.
 * @module
 */

import type { OutputName } from '../../case/case.ts';
import { outputShape } from '../../case/case-shapes.ts';
import { nth, whole } from '../../numbers/nth.ts';
import { elementCount } from '../../numbers/tensor.ts';
import { type ErrorModel, growth, SLACK } from '../lemmas/error-model.ts';
import {
  etaIn,
  farProbabilityError,
  fromKey,
  fromKeyTerms,
  fromOutput,
  probabilityError,
  rawGradientError,
  recomputedWeight,
  scoreGradientError,
  scoreGradientTerms,
  softcapGradientError,
  storedGradientError,
} from '../lemmas/gradient-errors.ts';
import {
  type HeldGradientTerms,
  type HeldKeyTerms,
  type HeldValueTerms,
  heldGradientError,
  heldGradientTerms,
  heldKeyConstant,
  heldKeyOfOperand,
  heldKeyTerms,
  heldValueConstant,
  heldValueOfCotangent,
  heldValueTerms,
} from '../lemmas/held-errors.ts';
import { increment } from './add.ts';
import { anchoredBackward, anchoredGradient, spreadOfGradient } from './anchored.ts';
import { carriedOver, type RowBound } from './bounds.ts';
import type { CertifiedCase, FlatBalls } from './certified.ts';
import { type Brought, broughtBy, type OperandError } from './operands.ts';
import * as rows from './row-kernels.ts';
import { broadcastAt, type Row, type RowMagnitudes, type RowRoom } from './row-magnitudes.ts';
import type { Summed } from './summed.ts';

export const DIRECT = ['d_q', 'd_k', 'd_v', 'd_bias', 'd_sink'] as const;
type DirectName = (typeof DIRECT)[number];
export type Sums<T> = Partial<Record<DirectName, T>>;

function sizesOf(c: CertifiedCase): [DirectName, number][] {
  return DIRECT.filter((name) => c.gradients?.has(name) === true).map((name) => [
    name,
    elementCount(outputShape(c.attentionCase, name)),
  ]);
}

/** Empty sums of every gradient that the case has. */
export function newSums(c: CertifiedCase): Sums<Summed> {
  const made = sizesOf(c).map(([name, size]) => [
    name,
    { magnitude: new Float64Array(size), terms: new Float64Array(size) },
  ]);
  return Object.fromEntries(made);
}

/** What is summed of an output, if it is a sum over pairs. */
export const summedOf = (sums: Sums<Summed>, name: OutputName): Summed | undefined =>
  (sums as Partial<Record<OutputName, Summed>>)[name];

/** The balls of a gradient: no number is further from it than both are from zero, which may be not at all. */
export function withinMagnitude({ shape, mid, rad }: FlatBalls, { magnitude }: Summed): FlatBalls {
  const within = Float64Array.from(rad);
  for (let n = 0; n < within.length; n++) {
    within[n] = Math.min(nth(rad, n), (Math.abs(nth(mid, n)) + nth(magnitude, n)) * SLACK);
  }
  return { shape, mid, rad: within };
}

/** Errors of the terms of every gradient, still to be summed. */
export function newErrors(c: CertifiedCase): Sums<Float64Array> {
  return Object.fromEntries(sizesOf(c).map(([name, size]) => [name, new Float64Array(size)]));
}

/** What a row brings to the gradients, each entry j for key j; of keys that it does not see it says nothing. */
export interface GradientWeights {
  /** Of |dO|, for dV; of |K| or |Q|, for dQ and dK. */
  readonly ofCotangent: Float64Array;
  readonly ofOperand: Float64Array;
}

/** What the errors of a model's terms rest on beside: an error of K as an operand meets more. */
export interface ErrorWeights extends GradientWeights {
  readonly ofKeyError: Float64Array | null;
  /** What each component of dQ, of dK and of dV is off by beside; of dK and dV entry j for key j, added up. */
  readonly constants: { query: number; readonly key: Float64Array; readonly value: Float64Array };
}

/** Magnitudes of a row's terms, and what it adds to dBias and dSink. `terms`: how many a key has, added up. */
export function addMagnitudes(
  c: CertifiedCase,
  sums: Sums<Summed>,
  at: Row,
  row: RowMagnitudes,
  to: GradientWeights & { readonly terms: Float64Array },
): void {
  const { d_bias: dBias, d_sink: dSink } = sums;
  const scale = Math.abs(c.parameters.scale);
  const { kernels } = row;
  if (kernels !== null) rows.addMagnitudes(kernels, row, scale, to);
  for (let n = 0; kernels === null && n < row.count; n++) {
    const j = whole(row.j, n);
    to.ofCotangent[j] = nth(row.kappa, n) * nth(row.p, n);
    to.ofOperand[j] = scale * nth(row.dS, n) * nth(row.slope, n);
    to.terms[j] = nth(to.terms, j) + 1;
  }
  for (let n = 0; dBias !== undefined && c.bias !== null && n < row.count; n++) {
    const place = broadcastAt(c.bias, at, whole(row.j, n));
    increment(dBias.magnitude, place, 1, nth(row.dS, n));
    increment(dBias.terms, place, 1);
  }
  if (dSink === undefined || row.sink === null) return;
  increment(dSink.magnitude, at[1], 1, row.sink.dS);
  increment(dSink.terms, at[1], 1);
}

/** Scratch of one row and model: the absolute errors of the recomputed P, of G and of dS. */
export interface GradientScratch {
  readonly pError: Float64Array;
  readonly gError: Float64Array;
  readonly dSError: Float64Array;
}

export const newScratch = ({ take, length }: RowRoom): GradientScratch => ({
  pError: take(length),
  gError: take(length),
  dSError: take(length),
});

/** The lemmas of a case's gradients under a model, what they have in common of all pairs worked out. */
export interface GradientSteps {
  readonly gradient: HeldGradientTerms;
  readonly value: HeldValueTerms;
  readonly key: HeldKeyTerms;
  /** Of a term that is not rounded to the operand format beyond what is added. Lemma Anchored */
  readonly anchoredKey: HeldKeyTerms;
}

export function gradientSteps({ parameters: p }: CertifiedCase, model: ErrorModel): GradientSteps {
  const scale = Math.abs(p.scale);
  return {
    gradient: heldGradientTerms(model, p.head_dim_v),
    value: heldValueTerms(model),
    key: heldKeyTerms(model, scale),
    anchoredKey: heldKeyTerms({ ...model, probabilities: 0 }, scale),
  };
}

/** What V brings to dP of a row: Σ(|V| + rad V) of each key, and of ΔV, Σ|dO|ΔV and ΣΔV, where there is one. */
export interface GradientOperands {
  readonly sizes: Float64Array;
  readonly carried: Brought | null;
  readonly made: Brought | null;
}

/** Everything that one model's bounds of a case need. */
export interface Backward {
  readonly c: CertifiedCase;
  readonly model: ErrorModel;
  readonly operands: OperandError | null;
  readonly steps: GradientSteps;
  readonly errors: Sums<Float64Array>;
  readonly scratch: GradientScratch;
}

/** Σ of |x| + rad over a row of balls. */
function sizeOf({ mid, rad }: FlatBalls, at: number, width: number): number {
  let sum = 0;
  for (let e = 0; e < width; e++) sum += Math.abs(nth(mid, at + e)) + nth(rad, at + e);
  return sum;
}

/** Σ of |x| over a row. */
function sumOf(x: Float64Array, at: number, width: number): number {
  let sum = 0;
  for (let e = 0; e < width; e++) sum += Math.abs(nth(x, at + e));
  return sum;
}

/** Where dO of (b, h, i) lies in the flat tensor. */
const cotangentAt = ({ parameters: p }: CertifiedCase, [b, h, i]: Row): number =>
  ((b * p.heads + h) * p.seq_q + i) * p.head_dim_v;

/** Lemma Recomputed P, or Far keys: the lesser, where the first says little. */
function errorOfP(model: ErrorModel, p: number, below: number, weight: number): number {
  const near = probabilityError(model, p, growth(weight));
  return weight <= 1 ? near : Math.min(near, SLACK * farProbabilityError(model, p, below, weight));
}

/**
 * Lemmas dP and Recomputed P for every key of the row, and of Lemma D what they come to; `model`: as the row's P is
 * rounded.
 */
function fillScratch(
  to: Backward,
  model: ErrorModel,
  { row, values }: GradientRow,
  bound: RowBound,
  cotangent: number,
): number {
  const { c, scratch, steps } = to;
  const { head_dim_v: width } = c.parameters;
  const own = sumOf(c.dOut, cotangent, width) + width * etaIn(model);
  const ofKey = fromKeyTerms(model, row.count);
  if (row.kernels !== null) {
    const { lseError, weight } = bound;
    const facts = { model, own, gradient: steps.gradient, ofKey, lse: row.lse, lseError };
    const found = rows.fillProbabilities(row.kernels, facts, values, [row, weight], scratch);
    if (found !== null) return found;
  }
  for (let n = 0; n < row.count; n++) {
    const j = whole(row.j, n);
    const carried = values.carried === null ? 0 : broughtBy(values.carried, j);
    const made = values.made === null ? 0 : broughtBy(values.made, j);
    const sizes = own + nth(values.sizes, j) + made;
    const [kappa, products] = [nth(row.kappa, n), nth(row.gProducts, n)];
    const g = nth(row.g, n);
    scratch.gError[n] = heldGradientError(steps.gradient, kappa, products, carried, sizes, g);
  }
  for (let n = 0; n < row.count; n++) {
    const [score, fromLse, own] = [nth(row.score, n), nth(row.fromLse, n), nth(bound.weight, n)];
    const weight = recomputedWeight(model, row, bound, score, fromLse, own);
    scratch.pError[n] = errorOfP(model, nth(row.p, n), nth(row.below, n), weight);
  }
  let fromKeys = 0;
  for (let n = 0; n < row.count; n++) {
    const [pError, gError] = [nth(scratch.pError, n), nth(scratch.gError, n)];
    fromKeys += fromKey(ofKey, nth(row.p, n), pError, nth(row.g, n), gError);
  }
  return fromKeys;
}

/** Lemma D: the larger of the two, of what `fromKeys` is the second. */
function cotangentError(
  { c, model }: Backward,
  row: RowMagnitudes,
  bound: RowBound,
  cotangent: number,
  fromKeys: number,
): number {
  const width = c.parameters.head_dim_v;
  const carried = carriedOver(c.dOut, cotangent, bound.out, 0, width);
  const sizes = sizeOf(c.out, cotangent, width) + sumOf(bound.out, 0, width);
  return Math.max(fromOutput(model, width, [row.dProducts, carried, sizes]), fromKeys);
}

/** Where a row stands, and what it has of V and of the keys it does not have. */
export interface GradientRow {
  readonly at: Row;
  readonly row: RowMagnitudes;
  readonly values: GradientOperands;
  /** The error of its D, where the row's keys are not all here. */
  readonly dError?: number | undefined;
}

/** Errors of the terms that a row adds to every sum, after rowBound and outErrors of that row. */
export function addErrors(
  to: Backward,
  given: GradientRow,
  bound: RowBound,
  weights: ErrorWeights,
): void {
  const { c, model, errors, scratch, steps } = to;
  const { at, row } = given;
  const { d_bias: dBias, d_sink: dSink } = errors;
  const cotangent = cotangentAt(c, at);
  const rowModel = anchoredBackward(model, row, bound);
  const fromKeys = fillScratch(to, rowModel, given, bound, cotangent);
  const dError = given.dError ?? cotangentError(to, row, bound, cotangent, fromKeys);
  const terms = scoreGradientTerms(model, row, dError);
  const { kernels } = row;
  if (kernels !== null) rows.fillScoreGradients(kernels, terms, row, scratch);
  for (let n = 0; kernels === null && n < row.count; n++) {
    const [pError, gError] = [nth(scratch.pError, n), nth(scratch.gError, n)];
    scratch.dSError[n] = scoreGradientError(terms, nth(row.p, n), pError, nth(row.g, n), gError);
  }
  for (let n = 0; dBias !== undefined && c.bias !== null && n < row.count; n++) {
    const error = storedGradientError(model, nth(row.dS, n), nth(scratch.dSError, n));
    increment(dBias, broadcastAt(c.bias, at, whole(row.j, n)), 1, error);
  }
  const value = rowModel === model ? steps.value : heldValueTerms(rowModel);
  addValues(value, row, scratch, weights);
  addKeys(to, row, bound, weights);
  if (dSink === undefined || row.sink === null) return;
  const { p, score, fromLse, below, dS } = row.sink;
  const weight = recomputedWeight(rowModel, row, bound, score, fromLse, bound.sinkWeight);
  const dSError = scoreGradientError(terms, p, errorOfP(model, p, below, weight), 0, 0);
  increment(dSink, at[1], 1, storedGradientError(model, dS, dSError));
}

/** Errors of each key's terms of dV: κ, P, dO, their product. Lemma Accumulate. */
function addValues(
  value: HeldValueTerms,
  row: RowMagnitudes,
  scratch: GradientScratch,
  { ofCotangent, constants }: ErrorWeights,
): void {
  const off = constants.value;
  const { kernels } = row;
  if (kernels !== null) {
    rows.addValues(kernels, value, [row, scratch.pError], { ofCotangent, beside: off });
    return;
  }
  for (let n = 0; n < row.count; n++) {
    const [j, kappa] = [whole(row.j, n), nth(row.kappa, n)];
    const [p, pError] = [nth(row.p, n), nth(scratch.pError, n)];
    ofCotangent[j] = heldValueOfCotangent(value, kappa, p, pError);
    off[j] = nth(off, j) + heldValueConstant(value, kappa, p, pError);
  }
}

/**
 * Errors of each key's terms of dQ and dK: dS may be scaled first and then rounded to the operand
 * format, Q or K scaled and rounded twice, or the sum scaled last. Lemma Accumulate.
 */
function addKeys(
  { c, model, scratch, steps }: Backward,
  row: RowMagnitudes,
  bound: RowBound,
  { ofOperand, ofKeyError, constants }: ErrorWeights,
): void {
  const scale = Math.abs(c.parameters.scale);
  const cap = c.parameters.softcap;
  const off = constants.key;
  const { kernels } = row;
  if (kernels !== null && cap === 0 && !model.anchored) {
    const weights = { ofOperand, ofKeyError, beside: off };
    constants.query = rows.addKeys(kernels, steps.key, scale, [row, scratch.dSError], weights);
    return;
  }
  constants.query = 0;
  for (let n = 0; n < row.count; n++) {
    const j = whole(row.j, n);
    const [dS, slope] = [nth(row.dS, n), nth(row.slope, n)];
    const dSError = nth(scratch.dSError, n);
    const raw = cap === 0 ? dS : dS * slope;
    let error =
      cap === 0
        ? rawGradientError(dS, dSError, 1, 0)
        : softcapGradientError(model, cap, [dS, dSError], {
            ...{ slope, t: nth(row.t, n), tError: nth(bound.tError, n) },
          });
    let term = steps.key;
    if (model.anchored) {
      const spread = spreadOfGradient(row, n);
      const rounded = anchoredGradient(model, scale, { raw, error, spread });
      if (rounded !== null) [term, error] = [steps.anchoredKey, error + rounded];
    }
    const made = heldKeyOfOperand(term, raw, error);
    const constant = heldKeyConstant(term, raw, error);
    ofOperand[j] = made;
    if (ofKeyError !== null) ofKeyError[j] = made + scale * raw;
    constants.query += constant;
    off[j] = nth(off, j) + constant;
  }
}
