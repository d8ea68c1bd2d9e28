/**
 * Bounds of the gradients, from the rows of bounds.ts. spec/bounds.md §4
 *
 * dS = P∘(G − D + dLSE) cancels, so its error is relative to P·(|G| + |D| + |dLSE|), never to dS.
 * P may be recomputed from a stored LSE, D taken from the rounded output or summed as P∘G, P and dS
 * rounded to the operand format before their matrix products. Sums over rows collect, for each key,
 * an error already made and, once for all models, the magnitude and number of what is summed.
 * @module
 */

import { FEATURE_GRADIENTS, type OutputName } from '../../case/case.ts';
import { outputShape } from '../../case/case-shapes.ts';
import { entry, nth } from '../../numbers/nth.ts';
import { elementCount } from '../../numbers/tensor.ts';
import { type ErrorModel, growth, SLACK } from '../lemmas/error-model.ts';
import {
  etaIn,
  farProbabilityError,
  fromKey,
  fromOutput,
  probabilityError,
  projectionTermError,
  recomputedWeight,
  scoreGradientError,
  softcapGradientError,
  storedGradientError,
} from '../lemmas/gradient-errors.ts';
import { heldGradientError, heldKeyTermError, heldValueTermError } from '../lemmas/held-errors.ts';
import { increment } from './add.ts';
import { anchoredBackward, anchoredGradient, spreadOfGradient } from './anchored.ts';
import { carriedOver, type RowBound } from './bounds.ts';
import { type CertifiedCase, type FlatBalls, upper } from './certified.ts';
import { broadcastAt, type Row, type RowMagnitudes } from './magnitudes.ts';
import { type Brought, broughtBy, type OperandError } from './operands.ts';
import { finishSum, type Summed } from './summed.ts';

const DIRECT = ['d_q', 'd_k', 'd_v', 'd_bias', 'd_sink'] as const;
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
  for (let n = 0; n < row.count; n++) {
    const j = entry(row.j, n);
    const dS = nth(row.dS, n);
    to.ofCotangent[j] = nth(row.kappa, n) * nth(row.p, n);
    to.ofOperand[j] = scale * dS * nth(row.slope, n);
    to.terms[j] = nth(to.terms, j) + 1;
    if (dBias === undefined || c.bias === null) continue;
    const place = broadcastAt(c.bias, at, j);
    increment(dBias.magnitude, place, 1, dS);
    increment(dBias.terms, place, 1);
  }
  if (dSink === undefined || row.sink === null) return;
  increment(dSink.magnitude, at[1], 1, row.sink.dS);
  increment(dSink.terms, at[1], 1);
}

/** Scratch of one row and model: the absolute errors of the recomputed P and of G. */
export interface GradientScratch {
  readonly pError: Float64Array;
  readonly gError: Float64Array;
}

export const newScratch = (seqKv: number): GradientScratch => ({
  pError: new Float64Array(seqKv),
  gError: new Float64Array(seqKv),
});

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

/** Lemmas dP and Recomputed P for every key of the row. */
function fillScratch(
  to: Backward,
  row: RowMagnitudes,
  bound: RowBound,
  cotangent: number,
  values: GradientOperands,
): void {
  const { c, model, scratch } = to;
  const { head_dim_v: width } = c.parameters;
  const own = sumOf(c.dOut, cotangent, width) + width * etaIn(model);
  for (let n = 0; n < row.count; n++) {
    const j = entry(row.j, n);
    const carried = values.carried === null ? 0 : broughtBy(values.carried, j);
    const made = values.made === null ? 0 : broughtBy(values.made, j);
    const sizes = own + nth(values.sizes, j) + made;
    const products = [nth(row.kappa, n), nth(row.gProducts, n), carried, sizes] as const;
    scratch.gError[n] = heldGradientError(model, width, products, nth(row.g, n));
    const weights = [nth(row.score, n), nth(row.fromLse, n), nth(bound.weight, n)] as const;
    const weight = recomputedWeight(model, row, bound, weights);
    scratch.pError[n] = errorOfP(model, nth(row.p, n), nth(row.below, n), weight);
  }
}

/** Lemma D: the larger of the two. */
function cotangentError(
  to: Backward,
  row: RowMagnitudes,
  bound: RowBound,
  cotangent: number,
): number {
  const { c, model, scratch } = to;
  const width = c.parameters.head_dim_v;
  const carried = carriedOver(c.dOut, cotangent, bound.out, 0, width);
  const sizes = sizeOf(c.out, cotangent, width) + sumOf(bound.out, 0, width);
  let fromKeys = 0;
  for (let n = 0; n < row.count; n++) {
    fromKeys += fromKey(model, row.count, [
      nth(row.p, n),
      nth(scratch.pError, n),
      nth(row.g, n),
      nth(scratch.gError, n),
    ]);
  }
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
  given: Backward,
  { at, row, values, dError: givenError }: GradientRow,
  bound: RowBound,
  weights: ErrorWeights,
): void {
  const to = { ...given, model: anchoredBackward(given.model, row, bound) };
  const { c, model, errors, scratch } = to;
  const { d_bias: dBias, d_sink: dSink } = errors;
  const cotangent = cotangentAt(c, at);
  fillScratch(to, row, bound, cotangent, values);
  const dError = givenError ?? cotangentError(to, row, bound, cotangent);
  const { softcap } = c.parameters;
  weights.constants.query = 0;
  for (let n = 0; n < row.count; n++) {
    const [p, g, dS] = [nth(row.p, n), nth(row.g, n), nth(row.dS, n)];
    const [pError, gError, j] = [nth(scratch.pError, n), nth(scratch.gError, n), entry(row.j, n)];
    const dSError = scoreGradientError(model, row, dError, [p, pError, g, gError]);
    if (dBias !== undefined && c.bias !== null) {
      const error = storedGradientError(given.model, dS, dSError);
      increment(dBias, broadcastAt(c.bias, at, j), 1, error);
    }
    addValue(model, weights, j, [nth(row.kappa, n), p, pError]);
    const [slope, t, tError] = [nth(row.slope, n), nth(row.t, n), nth(bound.tError, n)];
    const raw = softcap === 0 ? dS : dS * slope;
    const error = softcapGradientError(model, softcap, [dS, dSError], { slope, t, tError });
    const spread = model.anchored ? spreadOfGradient(row, n) : 0;
    addKey(given.model, weights, j, { scale: Math.abs(c.parameters.scale), raw, error, spread });
  }
  if (dSink === undefined || row.sink === null) return;
  const { p, score, fromLse, below, dS } = row.sink;
  const weight = recomputedWeight(model, row, bound, [score, fromLse, bound.sinkWeight]);
  const pError = errorOfP(model, p, below, weight);
  const dSError = scoreGradientError(model, row, dError, [p, pError, 0, 0]);
  increment(dSink, at[1], 1, storedGradientError(given.model, dS, dSError));
}

/** Errors of one key's terms of dV: κ, P, dO, their product. Lemma Accumulate. */
function addValue(
  model: ErrorModel,
  { ofCotangent, constants }: ErrorWeights,
  j: number,
  [kappa, p, pError]: readonly [number, number, number],
): void {
  const term = heldValueTermError(model, kappa, p, pError);
  ofCotangent[j] = term.ofCotangent;
  constants.value[j] = nth(constants.value, j) + term.constant;
}

/**
 * Errors of one key's terms of dQ and dK: dS may be scaled first and then rounded to the operand
 * format, Q or K scaled and rounded twice, or the sum scaled last. Lemma Accumulate.
 */
function addKey(
  model: ErrorModel,
  { ofOperand, ofKeyError, constants }: ErrorWeights,
  j: number,
  { scale, raw, error, spread }: { scale: number; raw: number; error: number; spread: number },
): void {
  const rounded = anchoredGradient(model, scale, { raw, error, spread });
  const term =
    rounded === null
      ? heldKeyTermError(model, scale, raw, error)
      : heldKeyTermError({ ...model, probabilities: 0 }, scale, raw, error + rounded);
  ofOperand[j] = term.ofOperand;
  if (ofKeyError !== null) ofKeyError[j] = term.ofOperand + scale * raw;
  constants.query += term.constant;
  constants.key[j] = nth(constants.key, j) + term.constant;
}

/** Bounds of every gradient of the case, flat, once all rows are added. */
export function backwardBounds(
  { c, model, errors }: Backward,
  sums: Sums<Summed>,
): Map<OutputName, Float64Array> {
  const { partition, heads, kv_heads } = c.parameters;
  const { ranks } = partition;
  const bounds = new Map<OutputName, Float64Array>();
  const exact = (name: OutputName): FlatBalls => {
    const balls = c.gradients?.get(name);
    if (balls === undefined) throw new Error(`"${name}" was not computed`);
    return balls;
  };
  for (const name of DIRECT) {
    const [error, sum] = [errors[name], sums[name]];
    if (error === undefined || sum === undefined) continue;
    const parts = name === 'd_k' || name === 'd_v' ? heads / kv_heads : 1;
    bounds.set(name, finishSum(model, error, sum, exact(name), { ranks, parts }));
  }
  if (c.features === null) return bounds;
  for (const [name, bound] of projectionBounds(c, model, bounds, exact)) bounds.set(name, bound);
  return bounds;
}

/** Adds Σ|w| ΔdX to dY and Σ|y| ΔdX to dW, with the magnitudes that are summed. Lemma Project. */
function addProjection(
  model: ErrorModel,
  [dY, dW]: readonly [Summed & { error: Float64Array }, Summed & { error: Float64Array }],
  [y, w]: readonly [Float64Array, Float64Array],
  [x, xError]: readonly [Float64Array, Float64Array],
  [heads, seq, width]: readonly [number, number, number],
): void {
  const columns = heads * width;
  const dimY = w.length / columns;
  for (let n = 0; n < x.length; n++) {
    const [size, error] = [nth(x, n), nth(xError, n)];
    const row = Math.floor(n / width);
    const column = (Math.floor(row / seq) % heads) * width + (n % width);
    const yAt = (Math.floor(row / seq / heads) * seq + (row % seq)) * dimY;
    for (let e = 0; e < dimY; e++) {
      const wAt = e * columns + column;
      const [a, f] = [Math.abs(nth(w, wAt)), Math.abs(nth(y, yAt + e))];
      increment(dY.error, yAt + e, 1, projectionTermError(model, [size, error, a]));
      increment(dY.magnitude, yAt + e, 1, size * a);
      increment(dY.terms, yAt + e, 1);
      increment(dW.error, wAt, 1, projectionTermError(model, [size, error, f]));
      increment(dW.magnitude, wAt, 1, size * f);
      increment(dW.terms, wAt, 1);
    }
  }
}

/** Bounds of those of dY, dW_K, dW_V that the case has, from those of dK and dV. Lemma Project. */
function projectionBounds(
  c: CertifiedCase,
  model: ErrorModel,
  bounds: ReadonlyMap<OutputName, Float64Array>,
  exact: (name: OutputName) => FlatBalls,
): [OutputName, Float64Array][] {
  const { features, parameters: p } = c;
  const [dK, dV] = [bounds.get('d_k'), bounds.get('d_v')];
  const wanted = FEATURE_GRADIENTS.filter((name) => c.gradients?.has(name));
  if (features === null || dK === undefined || dV === undefined || wanted.length === 0) return [];
  const { y, wK, wV } = features;
  const sum = (size: number) => ({
    error: new Float64Array(size),
    magnitude: new Float64Array(size),
    terms: new Float64Array(size),
  });
  const [dY, dWK, dWV] = [sum(y.length), sum(wK.length), sum(wV.length)];
  addProjection(
    model,
    [dY, dWK],
    [y, wK],
    [upper(exact('d_k')), dK],
    [p.kv_heads, p.seq_kv, p.head_dim],
  );
  addProjection(
    model,
    [dY, dWV],
    [y, wV],
    [upper(exact('d_v')), dV],
    [p.kv_heads, p.seq_kv, p.head_dim_v],
  );
  const made = { d_y: dY, d_w_k: dWK, d_w_v: dWV };
  return wanted.map((name) => {
    const sums = made[name];
    return [name, finishSum(model, sums.error, sums, exact(name), { ranks: p.partition.ranks })];
  });
}
