/**
 * How far an honest candidate may be from the exact answer, element by element. spec/bounds.md
 *
 * Forward: one row at a time, from the exact magnitudes of the case (Σ P|V|, Σ|q||k|, …) and the
 * profile's roundoffs. With the worst-case model the bounds hold for any order of summation, any
 * blocking, and any merge tree of as many partial results as the case has ranks. An element whose
 * bound cannot be derived is +Infinity. `bounds-backward.ts` goes on from the same rows.
 * @module
 */
import { tanh } from './arithmetic/float64.ts';
import { type Forward, probability } from './attention.ts';
import { type ErrorModel, growth, sumGrowth } from './error-model.ts';
import type { Problem } from './lift.ts';
import { kvHead, rowScores } from './scores.ts';
import { forEachIndex, type Tensor, zeros } from './tensor.ts';

/** Absolute error of recomputed K and V; zeros when they are inputs. Lemma Recompute. */
export interface OperandError {
  readonly k: Tensor;
  readonly v: Tensor;
}

/** One visible key of a row with its bounds. */
export interface KeyBound {
  readonly j: number;
  readonly s: number;
  /** tanh(raw/c) and its absolute error; null and 0 without softcap. */
  readonly t: number | null;
  readonly tError: number;
  /** Exact probability and dropout factor. */
  readonly p: number;
  readonly kappa: number;
  /** Log-domain error of the weight exp(s − m), sums, rescalings and merges included. */
  readonly weight: number;
  /** Absolute error of the score. */
  readonly score: number;
}

/** What the bounds of one row rest on. */
export interface RowBound {
  readonly keys: KeyBound[];
  readonly lse: number;
  /** Probability of the sink and the log-domain error of its weight. */
  readonly sink: { readonly p: number; readonly weight: number } | null;
  /** Relative error of the denominator; from 1 on nothing is bounded. Lemma Denominator. */
  readonly denominator: number;
  /** Absolute error of the LSE before it is stored. */
  readonly lseError: number;
}

/** Error of X = Y W, summed over dim_y and stored in the operand format. */
function projectionError(model: ErrorModel, y: Tensor, w: Tensor, x: Tensor): Tensor {
  const error = zeros(x.shape);
  const width = x.shape[3] ?? 0;
  const dimY = w.shape[0] ?? 0;
  const grown = sumGrowth(model, dimY, 2, model.scores, 2 * model.input);
  forEachIndex(x.shape, ([b = 0, h = 0, j = 0, c = 0]) => {
    let magnitude = 0;
    for (let e = 0; e < dimY; e++) magnitude += Math.abs(y.get(b, j, e) * w.get(e, h * width + c));
    const sum = magnitude * grown + 2 * dimY * model.tiny;
    const stored = model.operand * (Math.abs(x.get(b, h, j, c)) + sum) + model.operandTiny;
    error.set(b, h, j, c, sum + stored);
  });
  return error;
}

/** Lemma Recompute: K = Y W_K summed over dim_y, then stored in the operand format. */
export function operandError(problem: Problem<number>, model: ErrorModel): OperandError | null {
  const { features, k, v } = problem;
  if (features === null) return null;
  return {
    k: projectionError(model, features.y, features.wK, k),
    v: projectionError(model, features.y, features.wV, v),
  };
}

/** Lemma Score: the error of scale·q·k, in any order, with Q or K scaled and rounded first. */
function rawScoreError(
  problem: Problem<number>,
  model: ErrorModel,
  operands: OperandError | null,
  [b, h, i, j]: [number, number, number, number],
): { raw: number; error: number } {
  const { q, k, parameters } = problem;
  const g = kvHead(parameters, h);
  const d = parameters.head_dim;
  const scale = Math.abs(parameters.scale);
  let [dot, magnitude, sizes, carried] = [0, 0, 0, 0];
  for (let c = 0; c < d; c++) {
    const [x, y] = [q.get(b, h, i, c), k.get(b, g, j, c)];
    dot += x * y;
    magnitude += Math.abs(x * y);
    sizes += Math.abs(x) + Math.abs(y);
    if (operands !== null) carried += Math.abs(x) * operands.k.get(b, g, j, c);
  }
  const grown = sumGrowth(model, d, 3, model.scores, 4 * model.operand + 2 * model.input);
  const absolute =
    (1 + scale) * sizes * (model.operandTiny + model.tiny) + 2 * (d + 1) * model.tiny;
  return {
    raw: parameters.scale * dot,
    error: scale * (magnitude + carried) * grown + scale * carried + absolute,
  };
}

/** Lemma Softcap: tanh is steepest at the end of the interval nearest zero. */
function softcapError(
  model: ErrorModel,
  cap: number,
  raw: number,
  error: number,
): { tError: number; capped: number; error: number } {
  const argument = error / cap + (2 * model.scores * (Math.abs(raw) + error)) / cap;
  const nearest = Math.max(0, Math.abs(raw) / cap - argument);
  const steepest = tanh(nearest);
  const slope = Math.min(1, 1 - steepest * steepest + 4 * model.tanh);
  const tError = Math.min(2, argument * slope + model.tanh);
  const capped = cap * tanh(raw / cap);
  return { tError, capped, error: cap * tError + 2 * model.scores * Math.abs(capped) };
}

/** Lemma Bias: one addition, and the bias itself rounded to the operand format if it is narrower. */
function biasError(model: ErrorModel, capped: number, s: number): number {
  const bias = Math.abs(s - capped);
  return model.scores * (Math.abs(s) + Math.abs(capped) + bias) + model.stored * bias + model.tiny;
}

interface ScoreBound {
  readonly j: number;
  readonly s: number;
  readonly t: number | null;
  readonly tError: number;
  readonly error: number;
}

/** Errors of a row's scores, through softcap and bias. */
function scoreBounds(
  problem: Problem<number>,
  model: ErrorModel,
  operands: OperandError | null,
  [b, h, i]: [number, number, number],
): ScoreBound[] {
  const cap = problem.parameters.softcap;
  return rowScores(problem, b, h, i).map(({ j, s, t }) => {
    const { raw, error } = rawScoreError(problem, model, operands, [b, h, i, j]);
    const soft = cap === 0 ? null : softcapError(model, cap, raw, error);
    const capped = soft?.capped ?? raw;
    const before = soft?.error ?? error;
    const biased = problem.bias === null ? before : before + biasError(model, capped, s);
    return { j, s, t, tError: soft?.tError ?? 0, error: biased };
  });
}

/**
 * Lemma Weight: exp(s − m) with the subtraction perhaps fused, an exponential of (4 + 4|x|) ULP, a
 * sum of n terms, rescalings whose shifts add up to the range, and one merge a rank.
 */
function weightError(
  model: ErrorModel,
  row: { m: number; n: number; range: number; lse: number; ranks: number },
  s: number,
  scoreError: number,
): number {
  const x = Math.abs(s - row.m);
  const { exponential: uE, accumulation: uA } = model;
  const fused = uE * (Math.abs(s) + Math.abs(row.m) + x);
  const exponential = (4 + 4 * x) * uE;
  const summed = model.roundings(row.n) * uA;
  const rescaled = (5 * model.roundings(row.n) + 4 * row.range) * uA;
  const merged = row.ranks * (14 + 2 * Math.max(Math.abs(s), Math.abs(row.lse))) * uA;
  return scoreError + fused + exponential + summed + rescaled + merged;
}

/** Lemma Log: LSE = m + log l, the logarithm within 8 ULP of max(1, |log l|). */
function lseRounding(model: ErrorModel, m: number, lse: number): number {
  return model.accumulation * (4 * Math.abs(m) + 8 * Math.abs(lse - m) + 8 + 3 * Math.abs(lse));
}

/** 1/(1 − b) − 1, and −log(1 − b) is no larger; unbounded from b = 1 on. Lemma Denominator. */
function quotient(b: number): number {
  return b < 1 ? b / (1 - b) : Number.POSITIVE_INFINITY;
}

/** Everything the bounds of row (b, h, i) rest on; null for a row that attends to nothing. */
export function rowBound(
  problem: Problem<number>,
  forward: Forward<number>,
  model: ErrorModel,
  operands: OperandError | null,
  [b, h, i]: [number, number, number],
): RowBound | null {
  const state = forward.rows.get(b, h, i);
  if (state === null) return null;
  const scores = scoreBounds(problem, model, operands, [b, h, i]);
  const lse = state.m + problem.arithmetic.log(state.l);
  const sink = problem.sink?.get(h) ?? null;
  const lowest = scores.reduce((low, { s }) => Math.min(low, s), sink ?? state.m);
  const row = {
    m: state.m,
    n: scores.length + (sink === null ? 0 : 1),
    range: state.m - lowest,
    lse,
    ranks: problem.parameters.partition.ranks,
  };
  let denominator = row.n * model.tiny;
  const keys = scores.map(({ j, s, t, tError, error }): KeyBound => {
    const p = probability(problem, state, s);
    const weight = weightError(model, row, s, error);
    denominator += p * growth(weight);
    const kappa = problem.dropout === null ? 1 : problem.dropout(b, h, i, j);
    return { j, s, t, tError, p, kappa, weight, score: error };
  });
  const sinkWeight =
    sink === null ? 0 : weightError(model, row, sink, model.stored * Math.abs(sink));
  const sinkP = sink === null ? 0 : probability(problem, state, sink);
  denominator += sinkP * growth(sinkWeight);
  return {
    keys,
    lse,
    sink: sink === null ? null : { p: sinkP, weight: sinkWeight },
    denominator,
    lseError: quotient(denominator) + lseRounding(model, state.m, lse),
  };
}

/**
 * Lemma Output: numerator Σ κP|V|·growth and denominator, then one division and the final rounding.
 * Returns the bound before and after the final rounding to the output format.
 */
export function outError(
  problem: Problem<number>,
  forward: Forward<number>,
  model: ErrorModel,
  operands: OperandError | null,
  row: RowBound,
  [b, h, i, c]: [number, number, number, number],
): { unrounded: number; rounded: number } {
  const g = kvHead(problem.parameters, h);
  const out = Math.abs(forward.out.get(b, h, i, c));
  const beside = model.probabilities + model.input + 5 * model.accumulation;
  let numerator = 0;
  for (const { j, p, kappa, weight } of row.keys) {
    const v = Math.abs(problem.v.get(b, g, j, c));
    const carried = operands === null ? 0 : operands.v.get(b, g, j, c);
    const grown = growth(weight + beside);
    numerator += kappa * p * (v * grown + carried * (1 + grown));
    numerator += kappa * (v + carried) * (model.tiny + model.operandTiny) + 3 * model.tiny;
  }
  if (row.denominator >= 1) {
    return { unrounded: Number.POSITIVE_INFINITY, rounded: Number.POSITIVE_INFINITY };
  }
  const divided = (numerator + out * row.denominator) / (1 - row.denominator);
  const unrounded = divided + 3 * model.accumulation * (out + divided) + model.tiny;
  return { unrounded, rounded: unrounded + finalRounding(model, out + unrounded) };
}

/** One rounding to the output format. */
export function finalRounding(model: ErrorModel, magnitude: number): number {
  return model.output * magnitude + model.outputTiny;
}

/** One rounding of the LSE to the format it is stored in, no coarser than the profile's output. */
export function lseStored(model: ErrorModel, row: RowBound, storedRoundoff: number): number {
  const u = Math.max(model.accumulation, Math.min(storedRoundoff, model.output));
  return row.lseError + u * (Math.abs(row.lse) + row.lseError);
}
