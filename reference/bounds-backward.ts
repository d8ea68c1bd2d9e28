/**
 * Bounds of the gradients, from the rows of bounds.ts. spec/bounds.md §4
 *
 * dS = P∘(G − D + dLSE) cancels, so its error is relative to P·(|G| + |D| + |dLSE|), never to dS.
 * P may be recomputed from a stored LSE, D taken from the rounded output or summed as P∘G, P and dS
 * rounded to the operand format before their matrix products. Sums over rows collect, for each key,
 * a relative part (grown once the number of rows is known) and an absolute part.
 * @module
 */
import type { Forward } from './attention.ts';
import {
  finalRounding,
  type KeyBound,
  type OperandError,
  outError,
  type RowBound,
} from './bounds.ts';
import { type ErrorModel, growth, sumGrowth } from './error-model.ts';
import type { Gradients } from './gradients.ts';
import type { Problem } from './lift.ts';
import { kvHead } from './scores.ts';
import { forEachIndex, type Tensor, zeros } from './tensor.ts';

/** Error already made in each term, magnitude still to be summed, and how many terms there are. */
interface SumBound {
  readonly error: Tensor;
  readonly magnitude: Tensor;
  readonly terms: Tensor;
}

/** Bounds of every gradient of the case, laid out as the gradients are. */
export type BackwardBounds = Gradients<number>;

const sumBound = (shape: readonly number[]): SumBound => ({
  error: zeros(shape),
  magnitude: zeros(shape),
  terms: zeros(shape),
});

function addTerm(sum: SumBound, at: number[], error: number, magnitude: number): void {
  sum.error.set(...at, sum.error.get(...at) + error);
  sum.magnitude.set(...at, sum.magnitude.get(...at) + magnitude);
  sum.terms.set(...at, sum.terms.get(...at) + 1);
}

/** Lemma Accumulate: terms with their errors, summed in any order over the ranks, then rounded. */
function finishSum(model: ErrorModel, sum: SumBound, exact: Tensor, ranks: number): Tensor {
  const bound = zeros(sum.error.shape);
  forEachIndex(bound.shape, (at) => {
    const terms = sum.terms.get(...at);
    if (terms === 0) return; // nothing is added: an exact zero
    const error = sum.error.get(...at);
    const grown = sumGrowth(model, terms, ranks + 1, model.accumulation);
    const summed = error + (sum.magnitude.get(...at) + error) * grown + terms * model.tiny;
    bound.set(...at, summed + finalRounding(model, Math.abs(exact.get(...at)) + summed));
  });
  return bound;
}

/** |dO|, |O| and ΔO products of one row. */
interface RowCotangent {
  /** Error of D = Σ dO·O, whichever way it was computed. */
  readonly dError: number;
  readonly d: number;
  readonly dLse: number;
}

/** What one key of a row contributes: its exact gradient factors and their errors. */
interface KeyGradient {
  readonly key: KeyBound;
  /** Relative error of the recomputed probability. */
  readonly pGrown: number;
  /** G = κ dO·V, its error, and κ Σ|dO||V|. */
  readonly g: number;
  readonly gError: number;
}

type Row = [b: number, h: number, i: number];

/** Everything the sums over a row need, in one place. */
interface Context {
  readonly problem: Problem<number>;
  readonly forward: Forward<number>;
  readonly model: ErrorModel;
  readonly operands: OperandError | null;
}

/** Lemma Recomputed P: exp(s − LSE) from a rounded LSE, or the forward pass's own P. */
function recomputedWeight(model: ErrorModel, row: RowBound, s: number, weight: number): number {
  const { exponential: uE, accumulation: uA, probabilities: uP } = model;
  const lse = Math.abs(row.lse);
  const y = Math.abs(s - row.lse);
  const stored = row.lseError + 2 * uA * lse;
  return weight + stored + uE * (Math.abs(s) + 2 * lse + 5 * y + 4) + uP;
}

/** Lemma dP: dO·V over dv components in any order, times κ. */
function keyGradient(context: Context, row: RowBound, [b, h, i]: Row, key: KeyBound): KeyGradient {
  const { problem, model, operands } = context;
  const { dOut, v, parameters } = problem;
  const kv = kvHead(parameters, h);
  let [dot, magnitude, carried] = [0, 0, 0];
  for (let c = 0; c < parameters.head_dim_v; c++) {
    const [x, y] = [dOut.get(b, h, i, c), v.get(b, kv, key.j, c)];
    dot += x * y;
    magnitude += Math.abs(x * y);
    if (operands !== null) carried += Math.abs(x) * operands.v.get(b, kv, key.j, c);
  }
  const grown = sumGrowth(model, parameters.head_dim_v, 3, model.scores, 2 * model.input);
  const absolute = 2 * (parameters.head_dim_v + 1) * model.tiny;
  const gError = key.kappa * ((magnitude + carried) * grown + carried + absolute);
  const pGrown = growth(recomputedWeight(model, row, key.s, key.weight));
  return { key, pGrown, g: key.kappa * dot, gError };
}

/** Lemma D: Σ dO·O from the rounded output, or Σ P∘G over the keys; the larger of the two. */
function rowCotangent(
  context: Context,
  row: RowBound,
  [b, h, i]: Row,
  keys: readonly KeyGradient[],
): RowCotangent {
  const { problem, forward, model } = context;
  const width = problem.parameters.head_dim_v;
  let [d, magnitude, carried] = [0, 0, 0];
  for (let c = 0; c < width; c++) {
    const [x, o] = [problem.dOut.get(b, h, i, c), forward.out.get(b, h, i, c)];
    d += x * o;
    magnitude += Math.abs(x * o);
    const { rounded } = outError(problem, forward, model, context.operands, row, [b, h, i, c]);
    carried += Math.abs(x) * rounded;
  }
  const grown = sumGrowth(model, width, 3, model.accumulation, model.input);
  const fromOutput = carried + (magnitude + carried) * grown;
  const perKey = sumGrowth(model, keys.length, 3, model.accumulation);
  const fromKeys = keys.reduce((sum, { key, pGrown, g, gError }) => {
    const term = key.p * (Math.abs(g) * pGrown + gError * (1 + pGrown));
    return sum + term + (key.p * Math.abs(g) + term) * perKey;
  }, 0);
  const dLse = problem.dLse.get(b, h, i);
  return { d, dLse, dError: Math.max(fromOutput, fromKeys) + width * model.tiny };
}

/** Lemma dS: P·(|G| + |D| + |dLSE|) takes the error of P; the bracket brings its own. */
function scoreGradientError(
  model: ErrorModel,
  p: number,
  pGrown: number,
  g: { readonly value: number; readonly error: number },
  { d, dError, dLse }: RowCotangent,
): number {
  const sizes = Math.abs(g.value) + Math.abs(d) + Math.abs(dLse);
  const bracket =
    g.error + dError + (4 * model.accumulation + model.stored) * (sizes + g.error + dError);
  const flushed = (model.tiny + model.operandTiny) * (sizes + bracket);
  return p * (sizes * pGrown + bracket * (1 + pGrown)) + flushed + model.tiny;
}

/** Collects the sums of one row. */
function addRow(
  context: Context,
  sums: Record<'dQ' | 'dK' | 'dV', SumBound> & { dBias: SumBound | null; dSink: SumBound | null },
  row: RowBound,
  at: Row,
): void {
  const { problem, model } = context;
  const h = at[1];
  const keys = row.keys.map((key) => keyGradient(context, row, at, key));
  const cotangent = rowCotangent(context, row, at, keys);
  for (const gradient of keys) addKey(context, sums, at, gradient, cotangent);
  if (sums.dSink === null || row.sink === null || problem.sink === null) return;
  const { p, weight } = row.sink;
  const grown = growth(recomputedWeight(model, row, problem.sink.get(h), weight));
  const error = scoreGradientError(model, p, grown, { value: 0, error: 0 }, cotangent);
  addTerm(sums.dSink, [h], error, p * Math.abs(cotangent.dLse - cotangent.d));
}

/** One key of one row: dV, dBias, and through softcap and scale dQ and dK. */
function addKey(
  context: Context,
  sums: Record<'dQ' | 'dK' | 'dV', SumBound> & { dBias: SumBound | null },
  [b, h, i]: Row,
  { key, pGrown, g, gError }: KeyGradient,
  cotangent: RowCotangent,
): void {
  const { problem, model, operands } = context;
  const { parameters, q, k, dOut } = problem;
  const kv = kvHead(parameters, h);
  const { j, p, kappa, t, tError } = key;
  const narrow = model.probabilities + 3 * model.accumulation;
  const vGrown = growth(narrow + model.input) * (1 + pGrown) + pGrown;
  const flushed = kappa * (model.tiny + model.operandTiny);
  for (let c = 0; c < parameters.head_dim_v; c++) {
    const x = Math.abs(dOut.get(b, h, i, c));
    addTerm(
      sums.dV,
      [b, kv, j, c],
      kappa * p * x * vGrown + flushed * x + model.tiny,
      kappa * p * x,
    );
  }
  const dS = p * (g - cotangent.d + cotangent.dLse);
  const dSError = scoreGradientError(model, p, pGrown, { value: g, error: gError }, cotangent);
  if (sums.dBias !== null)
    addTerm(sums.dBias, broadcastIndex(sums.dBias, [b, h, i, j]), dSError, Math.abs(dS));
  const factor = t === null ? 1 : 1 - t * t;
  const factorError =
    t === null ? 0 : 2 * Math.abs(t) * tError + tError * tError + 3 * model.accumulation;
  const raw = Math.abs(dS * factor);
  const rawError = dSError * (factor + factorError) + Math.abs(dS) * factorError;
  const scale = Math.abs(parameters.scale);
  const rounded = growth(narrow + 2 * model.operand + model.input);
  const error = rawError + (raw + rawError) * rounded + model.operandTiny;
  for (let c = 0; c < parameters.head_dim; c++) {
    const [x, y] = [Math.abs(q.get(b, h, i, c)), Math.abs(k.get(b, kv, j, c))];
    const carried = operands === null ? 0 : operands.k.get(b, kv, j, c);
    const kError = error * (y + carried) + raw * carried;
    const flush = (1 + scale) * (raw + error) * (model.operandTiny + model.tiny) + model.tiny;
    addTerm(sums.dQ, [b, h, i, c], scale * kError + flush, scale * raw * y);
    addTerm(sums.dK, [b, kv, j, c], scale * error * x + flush, scale * raw * x);
  }
}

/** The place in a broadcast tensor that index stands for. */
function broadcastIndex({ error }: SumBound, index: number[]): number[] {
  const skip = index.length - error.shape.length;
  return error.shape.map((extent, n) => (extent === 1 ? 0 : (index[n + skip] ?? 0)));
}

/** Bounds of dQ, dK, dV, dBias, dSink; `rows` gives the RowBound of each row or null. */
export function backwardBounds(
  problem: Problem<number>,
  forward: Forward<number>,
  model: ErrorModel,
  operands: OperandError | null,
  rows: Tensor<RowBound | null>,
  exact: Gradients<number>,
): BackwardBounds {
  const context: Context = { problem, forward, model, operands };
  const { q, k, v, bias, sink } = problem;
  const sums = {
    dQ: sumBound(q.shape),
    dK: sumBound(k.shape),
    dV: sumBound(v.shape),
    dBias: bias === null ? null : sumBound(bias.shape),
    dSink: sink === null ? null : sumBound(sink.shape),
  };
  forEachIndex(rows.shape, ([b = 0, h = 0, i = 0]) => {
    const row = rows.get(b, h, i);
    if (row !== null) addRow(context, sums, row, [b, h, i]);
  });
  const ranks = problem.parameters.partition.ranks;
  const finish = (sum: SumBound | null, gradient: Tensor | null): Tensor | null =>
    sum === null || gradient === null ? null : finishSum(model, sum, gradient, ranks);
  const dK = finishSum(model, sums.dK, exact.dK, ranks);
  const dV = finishSum(model, sums.dV, exact.dV, ranks);
  return {
    dQ: finishSum(model, sums.dQ, exact.dQ, ranks),
    dK,
    dV,
    dBias: finish(sums.dBias, exact.dBias),
    dSink: finish(sums.dSink, exact.dSink),
    ...projectionBounds(context, exact, dK, dV),
  };
}

/** Adds Σ|w| ΔdX to dY and Σ|y| ΔdX to dW, with the magnitudes that are summed. Lemma Project. */
function addProjection(
  dY: SumBound,
  dW: SumBound,
  y: Tensor,
  w: Tensor,
  x: Tensor,
  xError: Tensor,
) {
  const dimY = w.shape[0] ?? 0;
  const width = x.shape[3] ?? 0;
  forEachIndex(x.shape, ([b = 0, h = 0, j = 0, c = 0]) => {
    const [size, error] = [Math.abs(x.get(b, h, j, c)), xError.get(b, h, j, c)];
    const column = h * width + c;
    for (let e = 0; e < dimY; e++) {
      const [a, f] = [Math.abs(w.get(e, column)), Math.abs(y.get(b, j, e))];
      addTerm(dY, [b, j, e], error * a, size * a);
      addTerm(dW, [e, column], error * f, size * f);
    }
  });
}

/** Bounds of dY, dW_K, dW_V from those of dK and dV; null without recomputation. Lemma Project. */
function projectionBounds(
  { problem, model }: Context,
  exact: Gradients<number>,
  dKError: Tensor,
  dVError: Tensor,
): Pick<BackwardBounds, 'dY' | 'dWK' | 'dWV'> {
  const { features, parameters } = problem;
  if (features === null || exact.dY === null || exact.dWK === null || exact.dWV === null) {
    return { dY: null, dWK: null, dWV: null };
  }
  const { y, wK, wV } = features;
  const [dY, dWK, dWV] = [sumBound(y.shape), sumBound(wK.shape), sumBound(wV.shape)];
  addProjection(dY, dWK, y, wK, exact.dK, dKError);
  addProjection(dY, dWV, y, wV, exact.dV, dVError);
  const ranks = parameters.partition.ranks;
  // dX and the weights or features enter one more matrix product as operands.
  const finish = (sum: SumBound, gradient: Tensor): Tensor => {
    const rounded = growth(model.operand + model.input);
    forEachIndex(sum.error.shape, (at) => {
      const error = sum.error.get(...at);
      sum.error.set(...at, error + (sum.magnitude.get(...at) + error) * rounded);
    });
    return finishSum(model, sum, gradient, ranks);
  };
  return { dY: finish(dY, exact.dY), dWK: finish(dWK, exact.dWK), dWV: finish(dWV, exact.dWV) };
}
