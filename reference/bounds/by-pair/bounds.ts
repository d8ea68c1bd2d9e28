/**
 * How far an honest candidate may be from the exact answer, element by element. spec/bounds.md
 *
 * Forward: one row at a time, from the magnitudes of the row (magnitudes.ts) and the profile's
 * roundoffs. With the worst-case model the bounds hold for any order of summation, any blocking,
 * and any merge tree of as many partial results as the case has ranks. An element whose bound
 * cannot be derived is +Infinity. `bounds-backward.ts` goes on from the same rows.
 * @module
 */

import { exp } from '../../numbers/float64.ts';
import { nth } from '../../numbers/nth.ts';
import { type ErrorModel, growth, SLACK } from '../lemmas/error-model.ts';
import { grantedError, logitReach, mostMerges } from '../lemmas/merge-errors.ts';
import {
  convertedError,
  farWeight,
  flush,
  leastWeight,
  quotient,
  type WeightTerms,
  weightError,
  weightRounding,
  wideLseError,
} from '../lemmas/step-errors.ts';
import type { CertifiedCase } from './certified.ts';
import { farRowLse } from './far-rows.ts';
import type { ScoreOperands } from './operands.ts';
import * as rows from './row-kernels.ts';
import { type RowMagnitudes, type RowRoom, rowRoom } from './row-magnitudes.ts';
import { cappedErrors, rawErrors, type ScoreSteps } from './score-steps.ts';

/** What the bounds of one row rest on; entry n for its n-th visible key. Reused row after row. */
export interface RowBound {
  /** Log-domain error of the weight exp(s − m), sums, rescalings and merges included. */
  readonly weight: Float64Array;
  /** The part of it that is the score's. */
  readonly scoreError: Float64Array;
  /** Absolute error of tanh(raw/c); 0 without softcap. */
  readonly tError: Float64Array;
  /** 1 for a far key, and half of what it may contribute; Lemma Far keys. */
  readonly far: Uint8Array;
  readonly faint: Float64Array;
  /** Error of each component of the output after its final rounding. */
  readonly out: Float64Array;
  sinkWeight: number;
  sinkError: number;
  sinkFar: boolean;
  /** Relative error of the denominator. Lemma Denominator. */
  denominator: number;
  /** What of it is underflow, and half of what far keys are. */
  flushes: number;
  faintSum: number;
  anyFar: boolean;
  /** What the computed denominator is at least, of the exact one; 0 where nothing is known. */
  least: number;
  /** Largest part of a weight's error, and of its product with V, that is not the score's; of no far key. */
  rounded: number;
  /** Absolute error of the LSE before it is stored; Lemma Far rows where the weights tell nothing. */
  lseError: number;
}

/** A model, and its lemmas as every row goes through them. */
export interface ModelSteps {
  readonly model: ErrorModel;
  readonly scores: ScoreSteps;
}

export function newRowBound(
  seqKv: number,
  width: number,
  softcap = true,
  { take, length, zeros }: RowRoom = rowRoom(seqKv),
): RowBound {
  return {
    weight: take(length),
    scoreError: take(length),
    tError: softcap ? take(length) : zeros,
    far: new Uint8Array(seqKv),
    faint: take(length),
    out: new Float64Array(width),
    sinkWeight: 0,
    sinkError: 0,
    sinkFar: false,
    denominator: 0,
    flushes: 0,
    faintSum: 0,
    anyFar: false,
    least: 1,
    rounded: 0,
    lseError: 0,
  };
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
  for (let e = 0; e < width; e++) sum += Math.abs(nth(a, aAt + e)) * nth(b, bAt + e);
  return sum;
}

/** Terms of the row's sum (its sink is one), merges, and operations a term may lose to underflow in. */
export function rowTerms(c: CertifiedCase, row: RowMagnitudes) {
  const n = row.count + (row.sink === null ? 0 : 1);
  const merges = mostMerges(c.parameters.partition.ranks, row.sink !== null);
  return { n, merges, operations: 3 * n + merges };
}

/**
 * Which keys are called far is free (Lemma Far keys): those so far below the LSE, whatever their scores'
 * errors, that they are nothing in any arithmetic. Their errors are nobody else's then.
 */
export const FAR_BELOW = 800;
const isFar = (below: number, error: number): boolean => below > FAR_BELOW + 8 * error;

/** Of a row's scores' errors, the largest that is of no far key. */
function largestError({ count, raised, below }: RowMagnitudes, scoreError: Float64Array): number {
  let largest = 0;
  for (let k = 0; k < count; k++) {
    const error = nth(scoreError, k);
    if (error > largest && raised[k] !== 1 && !isFar(nth(below, k), error)) largest = error;
  }
  return largest;
}

/** Lemmas Weight and Far keys for every key of the row, and for its sink; and what they make of the sum. */
function weigh(
  model: ErrorModel,
  terms: WeightTerms,
  { row, sinkError }: { row: RowMagnitudes; sinkError: number },
  to: RowBound,
): void {
  const beside = roundedBeside(model);
  let [denominator, rounded, faintSum, near] = [to.flushes, 0, 0, 0];
  const { kernels } = row;
  const found =
    kernels === null || row.uses.bias
      ? null
      : rows.weigh(kernels, { model, beside }, terms, row, to);
  if (found !== null) {
    [denominator, rounded, near] = [found.denominator, found.rounded, row.count];
    to.far.fill(0, 0, row.count);
  }
  for (let k = 0; found === null && k < row.count; k++) {
    const error = nth(to.scoreError, k);
    const own = weightRounding(model, terms, nth(row.score, k), nth(row.fromLse, k), error);
    to.weight[k] = error + own;
    const below = nth(row.below, k);
    const far = row.raised[k] === 1 || isFar(below, error) || !provedFor(own + beside);
    to.far[k] = far ? 1 : 0;
    if (far) {
      const faint = SLACK * farWeight(model, terms, { score: nth(row.score, k), below, error });
      to.faint[k] = faint;
      faintSum += faint;
      denominator += nth(row.p, k) + 2 * faint;
    } else {
      near++;
      rounded = Math.max(rounded, own);
      denominator += nth(row.p, k) * growth(error + own);
    }
  }
  if (row.sink !== null) {
    const { p, score, fromLse, below, raised } = row.sink;
    const own = weightRounding(model, terms, score, fromLse, sinkError);
    to.sinkWeight = sinkError + own;
    to.sinkFar = raised || isFar(below, sinkError) || !provedFor(own + beside);
    if (to.sinkFar) {
      const faint = SLACK * farWeight(model, terms, { score, below, error: sinkError });
      faintSum += faint;
      denominator += p + 2 * faint;
    } else {
      near++;
      rounded = Math.max(rounded, own);
      denominator += p * growth(to.sinkWeight);
    }
  }
  to.denominator = denominator;
  to.faintSum = faintSum;
  to.anyFar = near < row.count + (row.sink === null ? 0 : 1);
  to.rounded = near === 0 ? Number.POSITIVE_INFINITY : rounded + beside;
}

/** Lemmas Score, Softcap and Bias: the largest error of no far key, and the largest |s| + Δs. */
function scoreErrors(
  scores: ScoreSteps,
  operands: ScoreOperands | null,
  row: RowMagnitudes,
  to: RowBound,
): { readonly error: number; readonly logit: number } {
  const { kernels, count } = row;
  const { raw, cap, biased } = scores;
  const found = kernels && rows.rawErrors(kernels, raw, operands, row, to.scoreError);
  if (found !== null && cap === 0 && !biased) return found;
  if (found === null) rawErrors(scores, operands, row, to.scoreError);
  cappedErrors(scores, row, to);
  let logit = 0;
  for (let k = 0; k < count; k++) {
    logit = Math.max(logit, nth(row.score, k) + nth(to.scoreError, k));
  }
  return { error: largestError(row, to.scoreError), logit };
}

/** Everything the bounds of a row rest on, into `to`. */
export function rowBound(
  c: CertifiedCase,
  { model, scores }: ModelSteps,
  operands: ScoreOperands | null,
  row: RowMagnitudes,
  to: RowBound,
): void {
  const { n, merges, operations } = rowTerms(c, row);
  const sinkError = row.sink === null ? 0 : model.stored * row.sink.score + model.storedTiny;
  to.sinkError = sinkError;
  // Lemma Lazy: scores, and so LSEs, may lie above a maximum by the profile's headroom.
  const largest = scoreErrors(scores, operands, row, to);
  const { sink } = row;
  const sinkFar = sink === null || sink.raised || isFar(sink.below, sinkError);
  const slack = 1 + Math.max(largest.error, sinkFar ? 0 : sinkError) + model.headroom;
  const summed = model.roundings(n);
  // Whatever is merged, each merge on a key's way brings another key: fewer than n.
  const reach = logitReach(largestLogit(row, largest.logit, sinkError), slack);
  const granted = grantedError(model, summed, reach);
  to.flushes = 2 * n * flush(model, { leaf: model.weightTiny, size: 1, operations });
  weigh(model, { summed, merges, lse: row.lse, slack, granted }, { row, sinkError }, to);
  const { denominator } = to;
  const narrow = denominator < 1;
  to.least = narrow ? 1 - denominator : leastDenominator(row, to, sinkError);
  const divided = narrow
    ? quotient(denominator)
    : wideLseError(denominator * SLACK, (to.flushes + to.faintSum) * SLACK, to.least) * SLACK;
  to.lseError = convertedError(model, row.lse, divided);
  if (!(to.lseError < Number.POSITIVE_INFINITY)) {
    const sizes = { lse: row.lse, ...largestScore(row, to, sinkError) };
    to.lseError = farRowLse(model, { n, merges }, sizes);
  }
}

/** What a row rests on as a whole, where that is known otherwise: its keys are not all here. */
export interface GivenRow {
  readonly terms: WeightTerms;
  readonly lseError: number;
  /** Error of its D. */
  readonly dError: number;
}

/** Lemmas Score to Weight for the keys that are here, into `to`. */
export function givenRowBound(
  { model, scores }: ModelSteps,
  operands: ScoreOperands | null,
  { row, given }: { row: RowMagnitudes; given: GivenRow },
  to: RowBound,
): void {
  scoreErrors(scores, operands, row, to);
  to.lseError = given.lseError;
  for (let k = 0; k < row.count; k++) {
    const [score, fromLse, error] = [nth(row.score, k), nth(row.fromLse, k), nth(to.scoreError, k)];
    to.weight[k] = weightError(model, given.terms, score, fromLse, error);
  }
}

/** Is some key's score, or the sink's, lower than its magnitudes are of? */
const anyRaised = ({ raised, count, sink, uses }: RowMagnitudes): boolean =>
  sink?.raised === true || (uses.bias && raised.subarray(0, count).includes(1));

/** At least |s| + Δs of every key and the sink, and |LSE|; and the largest Δs. */
function largestScore(row: RowMagnitudes, to: RowBound, sinkError: number) {
  let [score, size] = [row.sink === null ? 0 : sinkError, row.sink?.score ?? 0];
  for (let k = 0; k < row.count; k++) {
    score = Math.max(score, nth(to.scoreError, k));
    size = Math.max(size, nth(row.score, k));
  }
  if (anyRaised(row)) size = Number.POSITIVE_INFINITY;
  return { score, size: Math.max(row.lse, SLACK * (size + score)) };
}

/** The largest |LSE| or |s| + Δs of a row: a partial result may be of far keys, or of the sink, alone. */
function largestLogit(row: RowMagnitudes, largest: number, sinkError: number): number {
  const { lse, sink } = row;
  if (anyRaised(row)) return Number.POSITIVE_INFINITY;
  return Math.max(largest, lse, sink === null ? 0 : sink.score + sinkError);
}

/** What is rounded beside a weight in its product with V: P, an input, the product and its sums. */
export const roundedBeside = (model: ErrorModel): number =>
  model.probabilities + model.partial + model.input + 5 * model.accumulation;

/** What row_bound asks of a key that is not far. */
export const provedFor = (rounded: number): boolean => rounded * SLACK <= 0.5;

/** Lemma Denominator, where the weights may be far off: each that is not far keeps a share of itself. */
function leastDenominator(row: RowMagnitudes, to: RowBound, sinkError: number): number {
  const lost = to.flushes + to.faintSum;
  if (!(provedFor(to.rounded) && lost * SLACK < 1)) return 0;
  let least = 0;
  for (let k = 0; k < row.count; k++) {
    if (to.far[k] === 1) continue;
    const kept = leastWeight(nth(to.scoreError, k), nth(to.weight, k));
    least += exp(-nth(row.fromLse, k)) * kept;
  }
  if (row.sink !== null && !to.sinkFar) {
    least += exp(-row.sink.fromLse) * leastWeight(sinkError, to.sinkWeight);
  }
  return (least / SLACK - to.faintSum * SLACK) / (1 + lost) / SLACK;
}

/** One rounding of the LSE to the format it is stored in, no coarser than the profile's output. */
export function lseStored(
  model: ErrorModel,
  lse: number,
  lseError: number,
  storedRoundoff: number,
): number {
  const u = Math.max(model.accumulation, Math.min(storedRoundoff, model.output));
  // A half may be stored as zero where its subnormals are; the sums' own format was flushed before.
  const tiny = storedRoundoff > model.accumulation ? model.outputTiny : 0;
  return lseError + u * (lse + lseError) + tiny;
}
