/**
 * Range: where an honest candidate may leave the numbers of its formats. Lemma Range, spec/bounds.md
 *
 * The other lemmas bound rounding errors, which presumes that nothing overflows on the way. Here
 * the magnitude of every intermediate an honest candidate may hold (absolute values summed, whatever
 * the order; Q, K scaled before the product; an output before its division; dS as an operand) is held
 * against the largest number of the format it is held in. An element that depends on one that may
 * not fit is excused: an infinity there, or the NaN that follows, is no fault. Pairs that are not
 * visible count too, as spec (5g) says: a program may compute them, and multiply by P = 0.
 * @module
 */

import {
  type AttentionCase,
  OUTPUT_NAMES,
  type OutputName,
  wantsGradients,
} from '../../case/case.ts';
import { outputShape } from '../../case/case-shapes.ts';
import { kvHead } from '../../case/heads.ts';
import { attention, type Forward } from '../../definition/attention.ts';
import { lift, type Problem } from '../../definition/lift.ts';
import { rowScores } from '../../definition/scores.ts';
import { exp, float64 } from '../../numbers/float64.ts';
import { entry, nth } from '../../numbers/nth.ts';
import {
  broadcastGet,
  broadcastIndex,
  filled,
  flatNumbers,
  forEachIndex,
  type Tensor,
  tensorOf,
  zeros,
} from '../../numbers/tensor.ts';
import { type ErrorModel, sumGrowth } from '../lemmas/error-model.ts';
import {
  changed,
  fitsStorage,
  fusedAtMost,
  keptFits,
  keyErrorOf,
  type Limits,
  largest,
  limitsOf,
  MARGIN,
  narrowed,
  over,
  scalarsFit,
  scales,
} from './range-limits.ts';
import { type LostOperands, lostOperands } from './range-operands.ts';
import { type PartSums, partSums } from './range-parts.ts';

/** Elements that may depend on an overflow, by output; an output that is not here has none. */
export type Beyond = Partial<Record<OutputName, Tensor<boolean>>>;

type Row = readonly [b: number, h: number, i: number];

interface Context {
  readonly problem: Problem<number>;
  readonly forward: Forward<number>;
  readonly model: ErrorModel;
  readonly limits: Limits;
  readonly lost: LostOperands;
  /** Largest error of K: recomputed, or rounded near zero. */
  readonly keyError: number;
  /** Error of the LSE of a row, as bounded. */
  readonly lseError: Tensor;
  readonly beyond: Beyond;
  /** Σ|dRaw||Q| and Σ|P||dO| so far, for dK and dV, dBias, dSink. */
  readonly sums: Partial<Record<OutputName, Tensor>>;
  readonly parts: PartSums | null;
}

/** One visible key of a row, in magnitudes. */
interface Pair {
  readonly j: number;
  /** P, as large as it may be recomputed. */
  readonly p: number;
  readonly kappa: number;
}

function mark({ beyond }: Context, name: OutputName, at: readonly number[]): void {
  beyond[name]?.set(...([...at, true] as [...number[], boolean]));
}

/** Adds a magnitude to a running sum, and marks the element when the sum may not fit. */
function grow(context: Context, name: OutputName, at: readonly number[], size: number): void {
  const sum = context.sums[name];
  if (sum === undefined) return;
  const total = sum.get(...at) + Math.abs(size);
  sum.set(...at, total);
  if (over(total, context.limits.sum)) mark(context, name, at);
}

/** The same for what query head h adds to dK or dV of its group. */
function growPart(
  context: Context,
  name: 'd_k' | 'd_v',
  at: readonly [b: number, h: number, j: number, c: number],
  size: number,
): void {
  const [b, h, j, c] = at;
  const whole = [b, kvHead(context.problem.parameters, h), j, c];
  grow(context, name, whole, size);
  if (context.parts?.add(name, at, size)) mark(context, name, whole);
}

const storable = ({ model, limits }: Context, x: number): boolean => fitsStorage(model, limits, x);

/** A score in magnitudes: Σ|q||k|, Σ|q| and |bias|; `gone` where it may overflow, but only to −∞. */
interface ScoreSizes {
  readonly products: number;
  readonly sizes: number;
  readonly bias: number;
  readonly gone: boolean;
}

/** Null where the bias of a pair, or its score, may not fit; a bias below 0 can only make it −∞. */
function scoreSizes(context: Context, [b, h, i]: Row, j: number): ScoreSizes | null {
  const { problem, limits } = context;
  const { parameters, q, k } = problem;
  const { head_dim, softcap, scale } = parameters;
  const g = kvHead(parameters, h);
  const bias = problem.bias === null ? 0 : broadcastGet(problem.bias, [b, h, i, j]);
  let [products, sizes] = [0, 0];
  for (let c = 0; c < head_dim; c++) {
    const [x, y] = [q.get(b, h, i, c), k.get(b, g, j, c)];
    products += Math.abs(x * y);
    sizes += Math.abs(x);
  }
  const score = products * scales(scale).product;
  const capped = softcap === 0 ? score : Math.min(softcap, score);
  const size = Number.isFinite(bias) ? Math.abs(bias) : 0;
  // 4: in base 2 the score is multiplied by log₂e, and two scores are subtracted.
  const fits = (beside: number): boolean => !over(4 * (score + capped + beside), limits.sum);
  const gone = !fits(size) || (Number.isFinite(bias) && !storable(context, bias));
  return gone && !(bias < 0 && fits(0)) ? null : { products, sizes, bias: size, gone };
}

/** A weight that is nothing in any format, whatever it is multiplied by. */
const NOTHING = 2 ** -1000;

/** A sink below 0 that does not fit can only become −∞: no sink, in a row where it weighs nothing. */
function sinkFits(context: Context, at: Row, sink: number): boolean {
  if (storable(context, sink) && !over(4 * sink, context.limits.sum)) return true;
  return sink < 0 && sinkAtMost(context, at, sink) < NOTHING;
}

/**
 * Visible keys of a row; null when a score of it may not fit, of whichever key: masked by adding −∞,
 * an infinite or undefined score leaves no weight of its row defined. A score that a bias takes to −∞ is
 * what −∞ as a bias makes of it: a key that is not there, in a row where others are.
 */
function pairsOf(context: Context, at: Row): Pair[] | null {
  const { problem, model, limits, lost } = context;
  const { parameters, q } = problem;
  const [b, h, i] = at;
  const factor = scales(parameters.scale);
  const rounding = sumGrowth(model, parameters.head_dim, 4, model.scores, 5 * model.operand);
  const scaled = (c: number): number => q.get(b, h, i, c) * factor.q;
  if (problem.sink !== null && !sinkFits(context, at, problem.sink.get(h))) return null;
  if (lost.keys.get(b, kvHead(parameters, h)) || !scalarsFit(parameters, limits)) return null;
  for (let c = 0; parameters.seq_kv > 0 && changed(model, factor.q) && c < parameters.head_dim; c++)
    if (over(scaled(c), limits.operand)) return null;
  const scores = new Map(rowScores(problem, b, h, i).map(({ j, s }) => [j, s]));
  const pairs: Pair[] = [];
  for (let j = 0; j < parameters.seq_kv; j++) {
    const pair = scoreSizes(context, at, j);
    if (pair === null) return null;
    const s = scores.get(j);
    if (s === undefined) continue;
    // Of each by itself: two of float64's lowest numbers have no sum.
    const share = 16 * model.scores + model.stored;
    const off =
      Math.abs(parameters.scale) * (pair.products * rounding + 2 * pair.sizes * context.keyError) +
      parameters.softcap * model.tanh +
      (share * Math.abs(s) + share * pair.bias) +
      model.storedTiny;
    const kappa = problem.dropout === null ? 1 : problem.dropout(b, h, i, j);
    const p = weightAtMost(context, at, s, off);
    if (pair.gone && !(p < NOTHING)) return null;
    pairs.push({ j, p, kappa });
  }
  if (over((pairs.length + 1) * fusedOf(context, at), limits.sum)) return null;
  return pairs;
}

/** What the largest weight of a row may be, 1 in truth. */
const fusedOf = ({ forward, model }: Context, at: Row): number =>
  fusedAtMost(model, forward.rows.get(...at)?.m ?? 0);

/** Marks the components of an output row whose weighted sum may not fit before its division. */
function forwardRow(context: Context, [b, h, i]: Row, pairs: readonly Pair[] | null): boolean {
  const { problem, limits, lost, model } = context;
  const g = kvHead(problem.parameters, h);
  const divides = problem.dropout !== null && !keptFits(model) && problem.parameters.seq_kv > 0;
  const fused = fusedOf(context, [b, h, i]);
  let held = pairs !== null;
  if (pairs === null) mark(context, 'lse', [b, h, i]);
  // κP before the row's last maximum is known: P is 1 at most, or what a lazy maximum lets it be.
  const most = exp(model.headroom);
  const weighs = (pairs ?? []).some(({ kappa }) => over(kappa * most, limits.operand));
  for (let c = 0; c < problem.parameters.head_dim_v; c++) {
    let [sum, largest] = [0, 0];
    for (const { j, kappa } of pairs ?? []) {
      const value = Math.max(1, kappa) * Math.abs(problem.v.get(b, g, j, c));
      sum += value;
      if (!(value <= largest)) largest = value;
    }
    const stored = model.partial > 0 && over(largest, limits.output);
    const spoilt = weighs || divides || stored || lost.values.get(b, g, c);
    if (pairs === null || spoilt || over(sum * fused, limits.weighted)) {
      mark(context, 'out', [b, h, i, c]);
      held = false;
    }
    // The output is rounded to its format before D is taken from it.
    if (over(context.forward.out.get(b, h, i, c), limits.output)) held = false;
  }
  return held;
}

/** Σ|dO||V| of every key, κ included: what G may reach. */
function cotangents({ problem }: Context, [b, h, i]: Row): number[] {
  const { dOut, v, parameters, dropout } = problem;
  const g = kvHead(parameters, h);
  return Array.from({ length: parameters.seq_kv }, (_, j) => {
    let sum = 0;
    for (let c = 0; c < parameters.head_dim_v; c++) {
      sum += Math.abs(dOut.get(b, h, i, c) * v.get(b, g, j, c));
    }
    return Math.max(1, dropout?.(b, h, i, j) ?? 1) * sum;
  });
}

/**
 * |dS| before its product with P: as it may be summed, of the visible pairs of a row and of each of the
 * others; and of the visible ones once D has its value.
 */
interface Brackets {
  readonly visible: number;
  readonly value: number;
  readonly hidden: readonly (readonly [j: number, size: number])[];
}

/**
 * G − D + dLSE, each with its own error; no partial sum of D = Σ P∘G exceeds Σ max(1, P)|G|, and D itself
 * not Σ P|G|. Null where D, which
 * is summed over all pairs or taken from the output, may not fit, or whatever makes every dS undefined.
 */
function bracketsOf(
  context: Context,
  at: Row,
  pairs: readonly Pair[],
  held: boolean,
): Brackets | null {
  const { problem, limits, model, lost } = context;
  const { parameters, dOut, dLse } = problem;
  const [b, h, i] = at;
  const g = kvHead(parameters, h);
  if (!held || !storable(context, dLse.get(b, h, i))) return null;
  for (let c = 0; c < parameters.head_dim_v; c++) {
    if (lost.values.get(b, g, c)) return null;
    if (narrowed(model) && over(dOut.get(b, h, i, c), limits.operand)) return null;
  }
  // Times a G of zero as well: an infinite P leaves no number in D.
  if (pairs.some(({ p }) => over(p, limits.sum))) return null;
  const sizes = cotangents(context, at);
  if (sizes.some((size) => over(size, limits.sum))) return null;
  const size = pairs.reduce((most, { j }) => Math.max(most, entry(sizes, j)), 0);
  const d = pairs.reduce((sum, { j, p }) => sum + Math.max(1, p) * entry(sizes, j), 0);
  const last = pairs.reduce((sum, { j, p }) => sum + p * entry(sizes, j), 0);
  const given = Math.abs(dLse.get(b, h, i));
  const beside = size + d + given;
  if (over(size + beside, limits.sum)) return null;
  const visible = new Set(pairs.map(({ j }) => j));
  const hidden = sizes.flatMap((one, j) => (visible.has(j) ? [] : [[j, one + beside] as const]));
  return { visible: size + beside, value: MARGIN * size + last + given, hidden };
}

/** What one row adds to every gradient, marked where it may be lost. */
function backwardRow(
  context: Context,
  at: Row,
  pairs: readonly Pair[] | null,
  held: boolean,
): void {
  const { problem, limits } = context;
  const { parameters, q, k, bias } = problem;
  const [b, h, i] = at;
  const g = kvHead(parameters, h);
  spoilValues(context, at, pairs);
  const brackets = pairs === null ? null : bracketsOf(context, at, pairs, held);
  if (pairs === null || brackets === null) {
    for (let j = 0; j < parameters.seq_kv; j++) spoilPair(context, at, j, bias);
    mark(context, 'd_sink', [h]);
    return;
  }
  for (const [j, size] of brackets.hidden) {
    if (over(size, limits.sum)) spoilPair(context, at, j, bias);
  }
  growSink(context, at, brackets.visible);
  const { product, q: qScale, k: kScale } = scales(parameters.scale);
  for (const { j, p } of pairs) {
    const dS = p * brackets.value;
    const fits = !over(dS, limits.operand);
    // A softcap derived step by step multiplies dS by c, and by 1 + t, before it divides.
    const derived = fits && !over(dS * Math.max(1, 2 * parameters.softcap), limits.sum);
    if (!derived) spoilPair(context, at, j, fits ? null : bias);
    if (!fits) continue;
    if (bias !== null) grow(context, 'd_bias', broadcastIndex(bias.shape, [b, h, i, j]), dS);
    for (let c = 0; c < parameters.head_dim; c++) {
      grow(context, 'd_q', [b, h, i, c], product * kScale * dS * k.get(b, g, j, c));
      growPart(context, 'd_k', [b, h, j, c], product * qScale * dS * q.get(b, h, i, c));
    }
  }
}

/** P as large as it may be recomputed, from a score, its error and that of the LSE. */
function weightAtMost({ forward, lseError }: Context, at: Row, s: number, off: number): number {
  const state = forward.rows.get(...at);
  if (state === null) return 0;
  return (MARGIN * exp(s - state.m + (off + lseError.get(...at)))) / state.l;
}

/** P of a row's sink, as large as it may be recomputed. */
function sinkAtMost(context: Context, at: Row, sink: number): number {
  const { model } = context;
  const off = (16 * model.scores + model.stored) * Math.abs(sink) + model.storedTiny;
  return weightAtMost(context, at, sink, off);
}

/** What one row adds to dSink. */
function growSink(context: Context, at: Row, bracket: number): void {
  const { problem } = context;
  if (problem.sink === null) return;
  const weight = sinkAtMost(context, at, problem.sink.get(at[1]));
  if (over(weight, context.limits.sum)) mark(context, 'd_sink', [at[1]]);
  grow(context, 'd_sink', [at[1]], Math.max(1, weight) * bracket);
}

/** What one row adds to dV: P may be undefined, κP or dO too large an operand. */
function spoilValues(context: Context, [b, h, i]: Row, pairs: readonly Pair[] | null): void {
  const { problem, limits, model } = context;
  const { parameters, dOut } = problem;
  const g = kvHead(parameters, h);
  for (let c = 0; c < parameters.head_dim_v; c++) {
    const x = dOut.get(b, h, i, c);
    const divides = problem.dropout !== null && !keptFits(model);
    if (pairs === null || divides || (narrowed(model) && over(x, limits.operand))) {
      // Times every P, those that are zero included.
      for (let j = 0; j < parameters.seq_kv; j++) mark(context, 'd_v', [b, g, j, c]);
      continue;
    }
    for (const { j, p, kappa } of pairs) {
      if (over(kappa * p, limits.operand)) mark(context, 'd_v', [b, g, j, c]);
      else growPart(context, 'd_v', [b, h, j, c], kappa * p * x);
    }
  }
}

/** A dS that may be undefined spoils everything it is added to: `bias` null where only what comes of it may be. */
function spoilPair(context: Context, [b, h, i]: Row, j: number, bias: Tensor | null): void {
  const { parameters } = context.problem;
  const g = kvHead(parameters, h);
  for (let c = 0; c < parameters.head_dim; c++) {
    mark(context, 'd_q', [b, h, i, c]);
    mark(context, 'd_k', [b, g, j, c]);
  }
  if (bias !== null) mark(context, 'd_bias', broadcastIndex(bias.shape, [b, h, i, j]));
}

/** dY, dW_K, dW_V take dK and dV as operands. */
function projections(context: Context): void {
  const { problem, limits, sums, beyond } = context;
  if (problem.features === null) return;
  const limit = Math.min(limits.operand, limits.output);
  for (const [from, weights, to] of [
    ['d_k', problem.features.wK, 'd_w_k'],
    ['d_v', problem.features.wV, 'd_w_v'],
  ] as const) {
    const total = sums[from];
    if (total === undefined) continue;
    const width = entry(total.shape, 3);
    forEachIndex(total.shape, ([b = 0, g = 0, j = 0, c = 0]) => {
      const size = total.get(b, g, j, c);
      const lost = over(size, limit) || beyond[from]?.get(b, g, j, c) === true;
      for (let e = 0; e < entry(weights.shape, 0); e++) {
        const [w, y] = [weights.get(e, g * width + c), problem.features?.y.get(b, j, e) ?? 0];
        if (lost) {
          mark(context, 'd_y', [b, j, e]);
          mark(context, to, [e, g * width + c]);
        } else {
          grow(context, 'd_y', [b, j, e], size * w);
          grow(context, to, [e, g * width + c], size * y);
        }
      }
    });
  }
}

/**
 * The elements of a case that an honest candidate of this model may lose to overflow; within-range.ts sees at once
 * where there are none. `lseError` [B, Hq, Sq]: how far its LSE may be off.
 */
export function beyondElements(c: AttentionCase, model: ErrorModel, lseError: Tensor): Beyond {
  const problem = lift(float64, c);
  const beyond: Beyond = {};
  const sums: Partial<Record<OutputName, Tensor>> = {};
  for (const name of OUTPUT_NAMES) {
    const shape = outputShape(c, name);
    beyond[name] = filled(shape, false);
    sums[name] = zeros(shape);
  }
  const limits = limitsOf(model);
  const forward = attention(problem);
  const { features, k } = problem;
  const sizes =
    features === null
      ? null
      : {
          dimY: entry(features.wK.shape, 0),
          y: largest(features.y),
          w: largest(features.wK),
          k: largest(k),
        };
  const lost = lostOperands(problem, model, limits);
  const about = { problem, forward, model, limits, lost, lseError };
  const backward = wantsGradients(c.parameters);
  const parts = backward ? partSums(problem.parameters, limits) : null;
  const context = { ...about, keyError: keyErrorOf(sizes, model), beyond, sums, parts };
  const { batch, heads, seq_q } = problem.parameters;
  forEachIndex([batch, heads, seq_q], ([b = 0, h = 0, i = 0]) => {
    const pairs = pairsOf(context, [b, h, i]);
    const held = forwardRow(context, [b, h, i], pairs);
    if (backward) backwardRow(context, [b, h, i], pairs, held);
  });
  if (backward) projections(context);
  return beyond;
}

/**
 * A bound with +Infinity where the element may overflow on the way, and where the answer is itself
 * unknown (NaN) because its own number system overflowed.
 */
export function widenBeyond(
  bound: Tensor,
  value: Tensor | undefined,
  beyond: Tensor<boolean> | undefined,
): Tensor {
  const sizes = flatNumbers(bound);
  const values = value === undefined ? null : flatNumbers(value);
  const lost = beyond?.data;
  const widened = Float64Array.from(sizes);
  for (let n = 0; n < widened.length; n++) {
    const unknown = values !== null && Number.isNaN(nth(values, n));
    if (unknown || lost?.[n] === true) widened[n] = Number.POSITIVE_INFINITY;
  }
  return tensorOf<number>(widened, bound.shape);
}
