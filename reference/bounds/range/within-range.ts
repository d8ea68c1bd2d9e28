/**
 * A quick answer to Lemma Range: from the largest input of each kind alone, can anything overflow?
 *
 * Every magnitude that range.ts holds against a limit, element by element, is here bounded for all
 * elements at once. Where these fit, none of those can be beyond its limit; where they do not, nothing
 * is known. within-range.test.ts holds the two together. spec/bounds.md §4
 * @module
 */

import { type AttentionCase, wantsGradients } from '../../case/case.ts';
import { exp } from '../../numbers/float64.ts';
import { type ErrorModel, SLACK, sumGrowth } from '../lemmas/error-model.ts';
import {
  changed,
  fitsStorage,
  fusedAtMost,
  keptFits,
  keyErrorOf,
  type Limits,
  largestInput,
  limitsOf,
  MARGIN,
  narrowed,
  over,
  scalarsFit,
  scales,
} from './range-limits.ts';

/** The largest magnitudes of a case's inputs, K and V as recomputed. */
interface Largest {
  readonly q: number;
  readonly k: number;
  readonly v: number;
  readonly dOut: number;
  readonly dLse: number;
  readonly bias: number;
  readonly sink: number;
  readonly y: number;
  readonly w: number;
}

/** `known`: the largest |K| and |V|, as recomputed where they are, where somebody has looked. */
function largestOf({ inputs, parameters }: AttentionCase, known: KnownSizes | null): Largest {
  const { dim_y: dimY = 0 } = parameters;
  const [y, wK, wV] = [largestInput(inputs.y), largestInput(inputs.w_k), largestInput(inputs.w_v)];
  return {
    q: largestInput(inputs.q),
    k: known?.k ?? Math.max(largestInput(inputs.k), dimY * y * wK * SLACK),
    v: known?.v ?? Math.max(largestInput(inputs.v), dimY * y * wV * SLACK),
    dOut: largestInput(inputs.d_out),
    dLse: largestInput(inputs.d_lse),
    bias: largestInput(inputs.bias),
    sink: largestInput(inputs.sink),
    y,
    w: Math.max(wK, wV),
  };
}

/** Largest |K_jc| and |V_jc|, of inputs the largest finite ones. */
export interface KnownSizes {
  readonly k: number;
  readonly v: number;
}

interface Question {
  readonly c: AttentionCase;
  readonly model: ErrorModel;
  readonly limits: Limits;
  readonly max: Largest;
  /** κ at most, and at least 1. */
  readonly kappa: number;
  /** |bias| at most, of keys that are not known to weigh nothing in any row. */
  readonly nearBias: number;
}

/** Scores, operands, and weighted sums of values. */
function forwardFits({ c, model, limits, max, kappa, nearBias }: Question): boolean {
  const { head_dim, seq_kv, scale, dim_y } = c.parameters;
  const factor = scales(scale);
  const products = head_dim * max.q * max.k * factor.product * SLACK;
  const fused = fusedAtMost(model, 2 * products + nearBias + max.sink);
  const operand = (size: number, times: number): boolean =>
    !changed(model, times) || !over(size * times, limits.operand);
  const features =
    dim_y === undefined ||
    (![max.y, max.w, max.k, max.v].some((x) => over(x, limits.operand)) &&
      !over(dim_y * max.y * max.w * SLACK, limits.sum));
  return (
    features &&
    scalarsFit(c.parameters, limits) &&
    (c.parameters.dropout_rate === 0 || keptFits(model)) &&
    fitsStorage(model, limits, max.sink) &&
    !over(4 * max.sink * SLACK, limits.sum) &&
    fitsStorage(model, limits, nearBias) &&
    operand(max.q, factor.q) &&
    operand(max.k, factor.k) &&
    !over(4 * SLACK * (2 * products + nearBias), limits.sum) &&
    !(narrowed(model) && over(max.v, limits.operand)) &&
    !over((seq_kv + 1) * fused, limits.sum) &&
    !over(seq_kv * kappa * max.v * fused, limits.weighted) &&
    !over(kappa * exp(model.headroom) * SLACK, limits.operand) &&
    !over(kappa * max.v * SLACK, limits.output)
  );
}

/** The largest P that an honest candidate may recompute, twice over. */
function largestWeight({ c, model, max, nearBias }: Question, lseError: number): number {
  const { head_dim, scale, softcap, dim_y } = c.parameters;
  const sizes = dim_y === undefined ? null : { dimY: dim_y, y: max.y, w: max.w, k: max.k };
  const rounding = sumGrowth(model, head_dim, 4, model.scores, 5 * model.operand);
  const [size, products] = [Math.abs(scale), head_dim * max.q * max.k];
  const off =
    size * (products * rounding + 2 * head_dim * max.q * keyErrorOf(sizes, model)) +
    softcap * model.tanh +
    (16 * model.scores + model.stored) * (size * products + 2 * nearBias + max.sink) +
    model.storedTiny;
  return MARGIN * exp((off + lseError) * SLACK) * SLACK;
}

/** The bracket of dS, dS itself, and every sum it enters. */
function backwardFits({ c, model, limits, max, kappa }: Question, p: number): boolean {
  const { batch, heads, kv_heads, seq_q, seq_kv, head_dim, head_dim_v, scale } = c.parameters;
  const factor = scales(scale);
  const bracket = ((2 + seq_kv * p) * kappa * head_dim_v * max.dOut * max.v + max.dLse) * SLACK;
  const dS = p * bracket * SLACK;
  const rows = (heads / kv_heads) * seq_q;
  const dK = rows * factor.product * factor.q * dS * max.q * SLACK;
  const dV = rows * kappa * p * max.dOut * SLACK;
  const sums = [
    batch * seq_q * p * bracket,
    batch * heads * seq_q * seq_kv * dS,
    seq_kv * factor.product * factor.k * dS * max.k,
    dK,
    dV,
    kv_heads * (head_dim * dK + head_dim_v * dV) * max.w,
    batch * seq_kv * Math.max(dK, dV) * max.y,
  ];
  // Of one query head, stored before it is added to the others of its group.
  const part = heads === kv_heads ? 0 : (Math.max(dK, dV) / (heads / kv_heads)) * SLACK;
  const projected = c.parameters.dim_y === undefined ? 0 : Math.max(dK, dV);
  return (
    !over(bracket, limits.sum) &&
    fitsStorage(model, limits, max.dLse) &&
    !(narrowed(model) && over(max.dOut, limits.operand)) &&
    !over(dS, limits.operand) &&
    !over(dS * 2 * c.parameters.softcap * SLACK, limits.sum) &&
    !over(kappa * p * SLACK, limits.operand) &&
    !over(part, limits.output) &&
    !over(projected, Math.min(limits.operand, limits.output)) &&
    !sums.some((sum) => over(sum * SLACK, limits.sum))
  );
}

/**
 * The check of a case under any model, with its inputs read once. True only where no element of the case
 * can be lost to overflow by an honest candidate of the model; false where that takes a closer look.
 * `lseError`: the largest error its LSE may have. `gradients`: false asks about out and lse alone. `nearBias`: the
 * largest |bias| of keys that are not masked so far below the others of every row that they are nothing: one of
 * those that does not fit is −∞.
 */
export function overflowCheck(
  c: AttentionCase,
  known: KnownSizes | null = null,
): (model: ErrorModel, lseError: number, gradients?: boolean, nearBias?: number) => boolean {
  const kappa = Math.max(1, 1 / (1 - c.parameters.dropout_rate)) * SLACK;
  const max = largestOf(c, known);
  return (model, lseError, gradients = wantsGradients(c.parameters), nearBias = max.bias) => {
    const about = { c, model, limits: limitsOf(model), max, kappa, nearBias };
    if (!forwardFits(about)) return false;
    return !gradients || backwardFits(about, largestWeight(about, lseError));
  };
}

/** The check under one model. */
export const nothingOverflows = (c: AttentionCase, model: ErrorModel, lseError: number): boolean =>
  overflowCheck(c)(model, lseError);
