/**
 * How far an honest candidate may be from the exact answer, element by element. spec/bounds.md
 *
 * Forward: one row at a time, from the magnitudes of the row (magnitudes.ts) and the profile's
 * roundoffs. With the worst-case model the bounds hold for any order of summation, any blocking,
 * and any merge tree of as many partial results as the case has ranks. An element whose bound
 * cannot be derived is +Infinity. `bounds-backward.ts` goes on from the same rows.
 * @module
 */
import { tanh } from './arithmetic/float64.ts';
import { type CertifiedCase, type FlatBalls, upper } from './certified.ts';
import { type ErrorModel, growth, sumGrowth } from './error-model.ts';
import type { Row, RowMagnitudes } from './magnitudes.ts';
import { kvHead } from './scores.ts';

/** Absolute error of recomputed K and V, flat; null when they are inputs. Lemma Recompute. */
export interface OperandError {
  readonly k: Float64Array;
  readonly v: Float64Array;
}

/** What the bounds of one row rest on; entry n for its n-th visible key. Reused row after row. */
export interface RowBound {
  /** Log-domain error of the weight exp(s − m), sums, rescalings and merges included. */
  readonly weight: Float64Array;
  /** Absolute error of tanh(raw/c); 0 without softcap. */
  readonly tError: Float64Array;
  /** Error of each component of the output after its final rounding. */
  readonly out: Float64Array;
  sinkWeight: number;
  /** Relative error of the denominator; from 1 on nothing is bounded. Lemma Denominator. */
  denominator: number;
  /** Absolute error of the LSE before it is stored. */
  lseError: number;
}

export function newRowBound(seqKv: number, width: number): RowBound {
  return {
    weight: new Float64Array(seqKv),
    tError: new Float64Array(seqKv),
    out: new Float64Array(width),
    sinkWeight: 0,
    denominator: 0,
    lseError: 0,
  };
}

/** Error of X = Y W, summed over dim_y and stored in the operand format. */
function projectionError(
  model: ErrorModel,
  [y, w]: readonly [Float64Array, Float64Array],
  x: FlatBalls,
): Float64Array {
  const [batch = 0, heads = 0, seq = 0, width = 0] = x.shape;
  const columns = heads * width;
  const dimY = w.length / columns;
  const sizes = upper(x);
  const error = new Float64Array(sizes.length);
  const grown = sumGrowth(model, dimY, 2, model.scores, 2 * model.input);
  for (let n = 0; n < error.length; n++) {
    const [c, row] = [n % width, Math.floor(n / width)];
    const [j, h] = [row % seq, Math.floor(row / seq) % heads];
    const yAt = (Math.floor(row / seq / heads) * seq + j) * dimY;
    let [magnitude, parts] = [0, 0];
    for (let e = 0; e < dimY; e++) {
      const [a, f] = [y[yAt + e] ?? 0, w[e * columns + h * width + c] ?? 0];
      magnitude += Math.abs(a * f);
      parts += Math.abs(a) + Math.abs(f);
    }
    const inputs = model.inputTiny * (parts + dimY * model.inputTiny) * (1 + grown);
    const sum = magnitude * grown + inputs + 2 * dimY * model.tiny;
    error[n] = sum + model.operand * ((sizes[n] ?? 0) + sum) + model.operandTiny;
  }
  return batch === 0 ? new Float64Array(0) : error;
}

/** Lemma Recompute: K = Y W_K summed over dim_y, then stored in the operand format. */
export function operandError(c: CertifiedCase, model: ErrorModel): OperandError | null {
  if (c.features === null) {
    // Inputs rounded near zero; their relative rounding is `input` in every sum they enter.
    if (model.inputTiny === 0) return null;
    const near = ({ mid }: FlatBalls) => new Float64Array(mid.length).fill(model.inputTiny);
    return { k: near(c.k), v: near(c.v) };
  }
  const { y, wK, wV } = c.features;
  return { k: projectionError(model, [y, wK], c.k), v: projectionError(model, [y, wV], c.v) };
}

/** Σ_e |a_e|·b_e over a row of each. */
export function carriedOver(
  a: Float64Array,
  aAt: number,
  b: Float64Array,
  bAt: number,
  width: number,
): number {
  let sum = 0;
  for (let e = 0; e < width; e++) sum += Math.abs(a[aAt + e] ?? 0) * (b[bAt + e] ?? 0);
  return sum;
}

/** Lemma Softcap: tanh is steepest at the end of the interval nearest zero. Error of tanh. */
function tanhError(
  model: ErrorModel,
  cap: number,
  [raw, least]: readonly [number, number],
  error: number,
): number {
  const argument = error / cap + (2 * model.scores * (raw + error)) / cap;
  const steepest = tanh(Math.max(0, least / cap - argument));
  const slope = Math.min(1, 1 - steepest * steepest + 4 * model.tanh + 2 ** -46);
  return Math.min(2, argument * slope + model.tanh);
}

/** Lemmas Score, Softcap, Bias: the error of the n-th score, any order, Q or K scaled first. */
function scoreError(
  c: CertifiedCase,
  model: ErrorModel,
  row: RowMagnitudes,
  n: number,
  { carried, grown, to }: { carried: number; grown: number; to: RowBound },
): number {
  const { head_dim: d, softcap: cap } = c.parameters;
  const scale = Math.abs(c.parameters.scale);
  const [products = 0, sizes = 0, raw = 0, capped = 0, bias = 0, score = 0] = [
    row.products[n],
    row.sizes[n],
    row.raw[n],
    row.capped[n],
    row.bias[n],
    row.score[n],
  ];
  const absolute =
    (1 + scale) * sizes * (model.operandTiny + model.tiny) + 2 * (d + 1) * model.tiny;
  let error = scale * (products + carried) * grown + scale * carried + absolute;
  if (cap !== 0) {
    const tError = tanhError(model, cap, [raw, row.rawLeast[n] ?? 0], error);
    to.tError[n] = tError;
    error = cap * tError + 2 * model.scores * capped;
  }
  if (c.bias === null) return error;
  return (
    error +
    model.scores * (score + capped + bias) +
    model.stored * bias +
    model.storedTiny +
    model.tiny
  );
}

/**
 * Lemma Weight: exp(s − m) with the subtraction perhaps fused, an exponential of (4 + 4|x|) ULP, a
 * sum of n terms, rescalings whose shifts add up to the range, and one merge a rank.
 */
function weightError(
  model: ErrorModel,
  row: RowMagnitudes,
  terms: { summed: number; ranks: number },
  [score, shift, error]: readonly [number, number, number],
): number {
  const { exponential: uE, accumulation: uA } = model;
  const fused = uE * (score + row.m + shift);
  const exponential = (4 + 4 * shift) * uE;
  const summed = terms.summed * uA;
  const rescaled = (5 * terms.summed + 4 * row.range) * uA;
  const merged = terms.ranks * (14 + 2 * Math.max(score, row.lse)) * uA;
  return error + fused + exponential + summed + rescaled + merged;
}

/** Lemma Log: LSE = m + log l, the logarithm within 8 ULP of max(1, |log l|). */
function lseRounding(model: ErrorModel, { m, lse, logSum }: RowMagnitudes): number {
  return model.accumulation * (4 * m + 8 * logSum + 8 + 3 * lse);
}

/** 1/(1 − b) − 1, and −log(1 − b) is no larger; unbounded from b = 1 on. Lemma Denominator. */
function quotient(b: number): number {
  return b < 1 ? b / (1 - b) : Number.POSITIVE_INFINITY;
}

/** Everything the bounds of row (b, h, i) rest on, into `to`. */
export function rowBound(
  c: CertifiedCase,
  model: ErrorModel,
  operands: OperandError | null,
  at: Row,
  row: RowMagnitudes,
  to: RowBound,
): void {
  const { heads, kv_heads, seq_q, seq_kv, head_dim: d, partition } = c.parameters;
  const queryAt = ((at[0] * heads + at[1]) * seq_q + at[2]) * d;
  const keysAt = (at[0] * kv_heads + kvHead(c.parameters, at[1])) * seq_kv * d;
  const n = row.count + (row.sink === null ? 0 : 1);
  const terms = { summed: model.roundings(n), ranks: partition.ranks };
  const grown = sumGrowth(model, d, 3, model.scores, 4 * model.operand + 2 * model.input);
  let denominator = n * model.tiny;
  for (let k = 0; k < row.count; k++) {
    const keyAt = keysAt + (row.j[k] ?? 0) * d;
    const carried = operands === null ? 0 : carriedOver(c.q, queryAt, operands.k, keyAt, d);
    const error = scoreError(c, model, row, k, { carried, grown, to });
    const weight = weightError(model, row, terms, [row.score[k] ?? 0, row.shift[k] ?? 0, error]);
    to.weight[k] = weight;
    denominator += (row.p[k] ?? 0) * growth(weight);
  }
  if (row.sink !== null) {
    const { score, shift, p } = row.sink;
    to.sinkWeight = weightError(model, row, terms, [
      score,
      shift,
      model.stored * score + model.storedTiny,
    ]);
    denominator += p * growth(to.sinkWeight);
  }
  to.denominator = denominator;
  to.lseError = quotient(denominator) + lseRounding(model, row);
}

/**
 * Lemma Output: numerator Σ κP|V|·growth and denominator, then one division and the final rounding.
 * Fills `to.out`, the error of each component after the rounding to the output format.
 */
export function outErrors(
  c: CertifiedCase,
  model: ErrorModel,
  operands: OperandError | null,
  at: Row,
  row: RowMagnitudes,
  to: RowBound,
): void {
  const { heads, kv_heads, seq_q, seq_kv, head_dim_v: width } = c.parameters;
  const outAt = ((at[0] * heads + at[1]) * seq_q + at[2]) * width;
  const valuesAt = (at[0] * kv_heads + kvHead(c.parameters, at[1])) * seq_kv * width;
  const { out } = to;
  if (!(to.denominator < 1)) {
    out.fill(Number.POSITIVE_INFINITY);
    return;
  }
  out.fill(row.count * 3 * model.tiny);
  const beside = model.probabilities + model.input + 5 * model.accumulation;
  for (let k = 0; k < row.count; k++) {
    const [kappa, p] = [row.kappa[k] ?? 0, row.p[k] ?? 0];
    const grown = growth((to.weight[k] ?? 0) + beside);
    const flushed = kappa * (model.tiny + model.operandTiny);
    const ofV = kappa * p * grown + flushed;
    const ofError = kappa * p * (1 + grown) + flushed;
    const vAt = valuesAt + (row.j[k] ?? 0) * width;
    for (let e = 0; e < width; e++) {
      const v = Math.abs(c.v.mid[vAt + e] ?? 0) + (c.v.rad[vAt + e] ?? 0);
      out[e] = (out[e] ?? 0) + ofV * v;
      if (operands !== null) out[e] = (out[e] ?? 0) + ofError * (operands.v[vAt + e] ?? 0);
    }
  }
  for (let e = 0; e < width; e++) {
    const size = Math.abs(c.out.mid[outAt + e] ?? 0) + (c.out.rad[outAt + e] ?? 0);
    const divided = ((out[e] ?? 0) + size * to.denominator) / (1 - to.denominator);
    const unrounded = divided + 3 * model.accumulation * (size + divided) + model.tiny;
    out[e] = unrounded + finalRounding(model, size + unrounded);
  }
}

/** One rounding to the output format. */
export function finalRounding(model: ErrorModel, magnitude: number): number {
  return model.output * magnitude + model.outputTiny;
}

/** One rounding of the LSE to the format it is stored in, no coarser than the profile's output. */
export function lseStored(
  model: ErrorModel,
  lse: number,
  lseError: number,
  storedRoundoff: number,
): number {
  const u = Math.max(model.accumulation, Math.min(storedRoundoff, model.output));
  return lseError + u * (lse + lseError);
}
