/**
 * Range: where an honest candidate may leave the numbers of its formats. Lemma Range, spec/bounds.md
 *
 * The other lemmas bound rounding errors, which presumes that nothing overflows on the way. Here
 * the magnitude of every intermediate an honest candidate may hold (absolute values summed, whatever
 * the order; Q, K scaled before the product; an output before its division; dS as an operand) is held
 * against the largest number of the format it is held in. An element that depends on one that may
 * not fit has no bound: an infinity there, or the NaN that follows, is no fault.
 * @module
 */
import { exp, float64 } from './arithmetic/float64.ts';
import { attention, type Forward, probability } from './attention.ts';
import { type AttentionCase, OUTPUT_NAMES, type OutputName, wantsGradients } from './case.ts';
import { outputShape } from './case-shapes.ts';
import { type ErrorModel, sumGrowth } from './error-model.ts';
import { lift, type Problem } from './lift.ts';
import {
  changed,
  fitsStorage,
  keyErrorOf,
  type Limits,
  largest,
  limitsOf,
  MARGIN,
  narrowed,
  over,
  scales,
} from './range-limits.ts';
import { kvHead, rowScores } from './scores.ts';
import {
  broadcastGet,
  broadcastIndex,
  filled,
  forEachIndex,
  type Tensor,
  toFlat,
  zeros,
} from './tensor.ts';
import { nothingOverflows } from './within-range.ts';

/** Elements that may depend on an overflow, by output; an output that is not here has none. */
export type Beyond = Partial<Record<OutputName, Tensor<boolean>>>;

type Row = readonly [b: number, h: number, i: number];

interface Context {
  readonly problem: Problem<number>;
  readonly forward: Forward<number>;
  readonly model: ErrorModel;
  readonly limits: Limits;
  /** Largest error of K: recomputed, or rounded near zero. */
  readonly keyError: number;
  /** Error of the LSE of a row, as bounded. */
  readonly lseError: Tensor;
  readonly beyond: Beyond;
  /** Σ|dRaw||Q| and Σ|P||dO| so far, for dK and dV, dBias, dSink. */
  readonly sums: Partial<Record<OutputName, Tensor>>;
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

const storable = ({ model, limits }: Context, x: number): boolean => fitsStorage(model, limits, x);

/** Visible keys of a row; null when its scores may not fit. */
function pairsOf(context: Context, [b, h, i]: Row): Pair[] | null {
  const { problem, model, limits } = context;
  const { parameters, q, k } = problem;
  const state = context.forward.rows.get(b, h, i);
  const g = kvHead(parameters, h);
  const factor = scales(parameters.scale);
  const rounding = sumGrowth(model, parameters.head_dim, 4, model.scores, 5 * model.operand);
  const pairs: Pair[] = [];
  if (problem.sink !== null && !storable(context, problem.sink.get(h))) return null;
  for (const { j, s } of rowScores(problem, b, h, i)) {
    if (problem.bias !== null && !storable(context, broadcastGet(problem.bias, [b, h, i, j]))) {
      return null;
    }
    let [products, sizes] = [0, 0];
    for (let c = 0; c < parameters.head_dim; c++) {
      const [x, y] = [q.get(b, h, i, c), k.get(b, g, j, c)];
      if (changed(model, factor.q) && over(x * factor.q, limits.operand)) return null;
      if (changed(model, factor.k) && over(y * factor.k, limits.operand)) return null;
      products += Math.abs(x * y);
      sizes += Math.abs(x);
    }
    const score = products * factor.product;
    // 4: in base 2 the score is multiplied by log₂e, and two scores are subtracted.
    if (over(4 * (score + Math.abs(s)), limits.sum) || state === null) return null;
    const off =
      Math.abs(parameters.scale) * (products * rounding + 2 * sizes * context.keyError) +
      parameters.softcap * model.tanh +
      16 * model.scores * Math.abs(s);
    const p = probability(problem, state, s) * exp(off + context.lseError.get(b, h, i));
    const kappa = problem.dropout === null ? 1 : problem.dropout(b, h, i, j);
    pairs.push({ j, p: p * MARGIN, kappa });
  }
  return pairs;
}

/** Marks the components of an output row whose weighted sum may not fit before its division. */
function forwardRow(context: Context, [b, h, i]: Row, pairs: readonly Pair[] | null): boolean {
  const { problem, limits, model } = context;
  const g = kvHead(problem.parameters, h);
  let held = pairs !== null;
  if (pairs === null) mark(context, 'lse', [b, h, i]);
  for (let c = 0; c < problem.parameters.head_dim_v; c++) {
    let sum = 0;
    let fits = pairs !== null;
    for (const { j, kappa } of pairs ?? []) {
      const v = Math.abs(problem.v.get(b, g, j, c));
      if (narrowed(model) && over(v, limits.operand)) fits = false;
      sum += Math.max(1, kappa) * v;
    }
    if (!fits || over(sum, limits.sum)) {
      mark(context, 'out', [b, h, i, c]);
      held = false;
    }
    // The output is rounded to its format before D is taken from it.
    if (over(context.forward.out.get(b, h, i, c), limits.output)) held = false;
  }
  return held;
}

/** Largest Σ|dO||V| of a row's keys, κ included, and Σ|dO| beside: what G and D may reach. */
function cotangent(context: Context, [b, h, i]: Row, pairs: readonly Pair[]): number {
  const { dOut, v, parameters } = context.problem;
  const g = kvHead(parameters, h);
  let largest = 0;
  for (const { j, kappa } of pairs) {
    let sum = 0;
    for (let c = 0; c < parameters.head_dim_v; c++) {
      sum += Math.abs(dOut.get(b, h, i, c) * v.get(b, g, j, c));
    }
    largest = Math.max(largest, Math.max(1, kappa) * sum);
  }
  return largest;
}

/** What one row adds to every gradient; all of it marked when the row itself may not fit. */
function backwardRow(
  context: Context,
  at: Row,
  pairs: readonly Pair[] | null,
  held: boolean,
): void {
  const { problem, limits, model } = context;
  const { parameters, q, k, dOut, bias } = problem;
  const [b, h, i] = at;
  const g = kvHead(parameters, h);
  const visible = (j: number): boolean => problem.visible(b, h, i, j);
  const keys = pairs ?? [];
  const size = cotangent(context, at, keys);
  // G − D + dLSE, each with its own error; |D| ≤ n times the largest G.
  const bracket = (2 + keys.length) * size + Math.abs(problem.dLse.get(b, h, i));
  const inputs = Array.from({ length: parameters.head_dim_v }, (_, c) => dOut.get(b, h, i, c));
  const fits =
    held &&
    !over(bracket, limits.sum) &&
    storable(context, problem.dLse.get(b, h, i)) &&
    !(narrowed(model) && inputs.some((x) => over(x, limits.operand)));
  const { product, q: qScale, k: kScale } = scales(parameters.scale);
  if (!fits) {
    for (let j = 0; j < parameters.seq_kv; j++) if (visible(j)) spoil(context, at, j);
    mark(context, 'd_sink', [h]);
    return;
  }
  grow(context, 'd_sink', [h], bracket);
  for (const { j, p, kappa } of keys) {
    const dS = p * bracket;
    if (over(dS, limits.operand) || over(kappa * p, limits.operand)) {
      spoil(context, at, j);
      continue;
    }
    for (const [c, x] of inputs.entries()) grow(context, 'd_v', [b, g, j, c], kappa * p * x);
    if (bias !== null) grow(context, 'd_bias', broadcastIndex(bias.shape, [b, h, i, j]), dS);
    for (let c = 0; c < parameters.head_dim; c++) {
      grow(context, 'd_q', [b, h, i, c], product * kScale * dS * k.get(b, g, j, c));
      grow(context, 'd_k', [b, g, j, c], product * qScale * dS * q.get(b, h, i, c));
    }
  }
}

/** A pair that may not fit spoils everything it is added to. */
function spoil(context: Context, [b, h, i]: Row, j: number): void {
  const { parameters, bias } = context.problem;
  const g = kvHead(parameters, h);
  for (let c = 0; c < parameters.head_dim; c++) {
    mark(context, 'd_q', [b, h, i, c]);
    mark(context, 'd_k', [b, g, j, c]);
  }
  for (let c = 0; c < parameters.head_dim_v; c++) mark(context, 'd_v', [b, g, j, c]);
  if (bias !== null) mark(context, 'd_bias', broadcastIndex(bias.shape, [b, h, i, j]));
}

/** dY, dW_K, dW_V take dK and dV as operands. */
function projections(context: Context, fit: boolean): void {
  const { problem, limits, sums, beyond } = context;
  if (problem.features === null) return;
  const limit = Math.min(limits.operand, limits.output);
  for (const [from, weights, to] of [
    ['d_k', problem.features.wK, 'd_w_k'],
    ['d_v', problem.features.wV, 'd_w_v'],
  ] as const) {
    const total = sums[from];
    if (total === undefined) continue;
    const width = total.shape[3] ?? 0;
    forEachIndex(total.shape, ([b = 0, g = 0, j = 0, c = 0]) => {
      const size = total.get(b, g, j, c);
      const lost = !fit || over(size, limit) || beyond[from]?.get(b, g, j, c) === true;
      for (let e = 0; e < (weights.shape[0] ?? 0); e++) {
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

/** Recomputed K or V that may not fit spoils the case; so does an input that the operands cannot hold. */
function featuresFit({ problem, limits }: Context): boolean {
  const { features, k, v } = problem;
  if (features === null) return true;
  const width = (w: Tensor): number => w.shape[0] ?? 0;
  const [y, wK, wV] = [largest(features.y), largest(features.wK), largest(features.wV)];
  const sum = width(features.wK) * y * Math.max(wK, wV);
  return (
    ![y, wK, wV, largest(k), largest(v)].some((x) => over(x, limits.operand)) &&
    !over(sum, limits.sum)
  );
}

/**
 * The elements of a case that an honest candidate of this model may lose to overflow.
 * `lseError` [B, Hq, Sq]: how far its LSE may be off.
 */
export function beyondRange(c: AttentionCase, model: ErrorModel, lseError: Tensor): Beyond {
  return nothingOverflows(c, model, largest(lseError)) ? {} : beyondElements(c, model, lseError);
}

/** The same, element by element. */
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
          dimY: features.wK.shape[0] ?? 0,
          y: largest(features.y),
          w: largest(features.wK),
          k: largest(k),
        };
  const about = { problem, forward, model, limits, lseError, keyError: keyErrorOf(sizes, model) };
  const context = { ...about, beyond, sums };
  const { batch, heads, seq_q } = problem.parameters;
  const fit = featuresFit(context);
  const backward = wantsGradients(c.parameters);
  forEachIndex([batch, heads, seq_q], ([b = 0, h = 0, i = 0]) => {
    if (context.forward.rows.get(b, h, i) === null) return;
    const pairs = fit ? pairsOf(context, [b, h, i]) : null;
    const held = forwardRow(context, [b, h, i], pairs);
    if (backward) backwardRow(context, [b, h, i], pairs, held);
  });
  if (backward) projections(context, fit);
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
  const widened = zeros(bound.shape);
  const [sizes, lost] = [toFlat(bound), beyond?.data];
  const values = value === undefined ? null : toFlat(value);
  sizes.forEach((size, n) => {
    const open = Number.isNaN(values?.[n]) || lost?.[n] === true;
    widened.data[n] = open ? Number.POSITIVE_INFINITY : size;
  });
  return widened;
}
