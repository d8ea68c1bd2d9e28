/**
 * The error of a row's output: Lemmas Output, Hull and Sigmoid, from what its weights rest on. spec/bounds.md §3
 * @module
 */

import { kvHead } from '../../case/heads.ts';
import { nth, nthIfAny, whole } from '../../numbers/nth.ts';
import { type ErrorModel, growth, SLACK } from '../lemmas/error-model.ts';
import { partialSize, subtractedError } from '../lemmas/merge-errors.ts';
import {
  dividedError,
  finalRounding,
  flush,
  hullError,
  unroundedError,
} from '../lemmas/step-errors.ts';
import { anchoredModel, largestErrors, storedError } from './anchored.ts';
import { provedFor, type RowBound, roundedBeside, rowTerms } from './bounds.ts';
import type { CertifiedCase } from './certified.ts';
import { farRowOut } from './far-rows.ts';
import type { OperandError } from './operands.ts';
import * as rows from './row-kernels.ts';
import type { Row, RowMagnitudes } from './row-magnitudes.ts';

/**
 * Lemma Output: what partial outputs lose near zero where they are stored, averaged by the weights as
 * they are computed.
 */
function partLost(model: ErrorModel, row: RowMagnitudes, to: RowBound): number {
  if (model.partialTiny === 0) return 0;
  const beside = roundedBeside(model);
  let sum = to.flushes;
  for (let k = 0; k < row.count; k++) {
    const p = nth(row.p, k);
    if (to.far[k] === 1) sum += 2 * (p + nth(to.faint, k));
    else sum += p * (1 + growth(nth(to.weight, k) + beside));
  }
  if (row.sink !== null) {
    const { p } = row.sink;
    // What a far sink may be mistaken for is among the rest of faintSum.
    sum += to.sinkFar ? 2 * (p + to.faintSum) : p * (1 + growth(to.sinkWeight + beside));
  }
  return model.partialTiny * sum;
}

/** From where on Lemma Hull may say more than Lemma Output: below, 2B/(1 − B) < 1. */
const HULL_FROM = 1 / 3;

/** What underflow costs a key's part of the numerator, relative to |V|; κ its factor. */
function flushedOf(model: ErrorModel, operations: number): (kappa: number) => number {
  const ofLeaf = model.weightTiny + model.operandTiny;
  const rescaled = operations * 8 * model.rescaledTiny;
  return (kappa) => {
    const leaf = kappa * ofLeaf + model.tiny;
    return 2 * (flush(model, { leaf, size: kappa, operations }) - rescaled);
  };
}

/** Weights of a numerator, entry j for key j: of |V|, and of ΔV where there is one. */
export interface ValueWeights {
  readonly ofV: Float64Array;
  readonly ofError: Float64Array | null;
}

/** The model as a row's P is rounded under it. Lemma Anchored */
const modelOfRow = (model: ErrorModel, row: RowMagnitudes, bound: RowBound): ErrorModel =>
  model.anchored ? anchoredModel(model, row, largestErrors(row, bound)) : model;

/** What multiplies |V| and ΔV in the numerator of a row's output. Lemma Output */
export function weighValues(
  c: CertifiedCase,
  given: ErrorModel,
  row: RowMagnitudes,
  bound: RowBound,
  to: ValueWeights,
): void {
  const model = modelOfRow(given, row, bound);
  const { operations } = rowTerms(c, row);
  const [beside, held] = [roundedBeside(model), 1 + model.held.kappa];
  const { kernels } = row;
  if (kernels !== null && !bound.anyFar) {
    rows.weighValues(kernels, model, { beside, operations }, [row, bound.weight], to);
    return;
  }
  const flushedBy = flushedOf(model, operations);
  // All kept keys have the same κ.
  let [known, flushed] = [Number.NaN, 0];
  const { ofV, ofError } = to;
  for (let k = 0; k < row.count; k++) {
    const kappa = nth(row.kappa, k) * held;
    if (kappa !== known) [known, flushed] = [kappa, flushedBy(kappa)];
    const [j, p] = [whole(row.j, k), nth(row.p, k)];
    const far = bound.far[k] === 1;
    const faint = far ? nth(bound.faint, k) : 0;
    const grown = far ? 1 : growth(nth(bound.weight, k) + beside);
    ofV[j] = kappa * (p * grown + 2 * faint) + flushed;
    if (ofError !== null) ofError[j] = kappa * (p * (1 + grown) + 4 * faint) + flushed;
  }
}

/** Largest of what is averaged, by component: of partial outputs, which may be of far keys alone, and of all. */
function averagedParts(
  c: CertifiedCase,
  { model, vError }: { model: ErrorModel; vError: OperandError | null },
  at: Row,
  row: RowMagnitudes,
  bound: RowBound,
) {
  const { kv_heads, seq_kv, head_dim_v: width } = c.parameters;
  const valuesAt = (at[0] * kv_heads + kvHead(c.parameters, at[1])) * seq_kv * width;
  const { n, operations } = rowTerms(c, row);
  const lostAtZero = 2 * n * flush(model, { leaf: model.tiny, size: 0, operations });
  const hull = bound.denominator > HULL_FROM ? newHull(bound, width, lostAtZero) : null;
  const parts = { top: new Float64Array(width), lost: new Float64Array(width).fill(lostAtZero) };
  if (hull === null && !model.subtractsInMerges) return { parts, hull };
  const near = vError?.near ?? 0;
  const flushedBy = flushedOf(model, operations);
  for (let k = 0; k < row.count; k++) {
    const kappa = nth(row.kappa, k) * (1 + model.held.kappa);
    const [flushed, far] = [flushedBy(kappa), bound.far[k] === 1];
    const faint = far ? nth(bound.faint, k) : 0;
    const vAt = valuesAt + whole(row.j, k) * width;
    for (let e = 0; e < width; e++) {
      const off = near + nthIfAny(vError?.v, vAt + e);
      const size = Math.abs(nth(c.v.mid, vAt + e)) + nth(c.v.rad, vAt + e) + off;
      parts.top[e] = Math.max(nth(parts.top, e), kappa * size);
      parts.lost[e] = nth(parts.lost, e) + flushed * size;
      if (hull !== null) addToHull(hull, e, { kappa, flushed, far, faint, size });
    }
  }
  return { parts, hull };
}

/**
 * Lemmas Output and Hull: numerator Σ κP|V|·growth over denominator, or the largest of what is averaged;
 * then the final rounding. Fills `to.out`, the error of each component after the rounding to the output
 * format; `numerator`: what its keys bring, by component.
 */
export function outErrors(
  c: CertifiedCase,
  given: ErrorModel,
  vError: OperandError | null,
  { at, row, numerator }: { at: Row; row: RowMagnitudes; numerator: Float64Array },
  to: RowBound,
): void {
  const model = modelOfRow(given, row, to);
  const { heads, kv_heads, seq_q, seq_kv, head_dim_v: width } = c.parameters;
  const outAt = ((at[0] * heads + at[1]) * seq_q + at[2]) * width;
  const { out } = to;
  const { n, operations } = rowTerms(c, row);
  const lostAtZero = 2 * n * flush(model, { leaf: model.tiny, size: 0, operations });
  const { parts, hull } = averagedParts(c, { model, vError }, at, row, to);
  if (!(to.least > 0) && hull === null) {
    const valuesAt = (at[0] * kv_heads + kvHead(c.parameters, at[1])) * seq_kv * width;
    const beside = roundedBeside(model);
    farRowOut(c, model, row, { n, beside, outAt, valuesAt, vError }, out);
    return;
  }
  const base = lostAtZero + partLost(model, row, to);
  for (let e = 0; e < width; e++) {
    const size = Math.abs(nth(c.out.mid, outAt + e)) + nth(c.out.rad, outAt + e);
    const merged = subtractedPart(model, n, to, [nth(parts.top, e), nth(parts.lost, e)]);
    // All of O is off by as much as κ.
    const [most, held] = [size * (1 + model.held.kappa), size * model.held.kappa];
    const whole = base + nth(numerator, e) + merged;
    let divided = held + dividedError(whole, most, to.denominator, to.least);
    if (hull !== null) {
      const average = SLACK * hullError(hullSizes(model, hull, [to, e, size]));
      divided = leastOf(divided, average + merged);
    }
    const unrounded = unroundedError(model, size, divided);
    out[e] = unrounded + finalRounding(model, size + unrounded);
    if (!model.anchored) continue;
    const exact = { mid: nth(c.out.mid, outAt + e), rad: nth(c.out.rad, outAt + e) };
    out[e] = leastOf(storedError(model, exact, unrounded), nth(out, e));
  }
}

/** Lemma Sigmoid: what merges that subtract lose of a component of n keys' output. */
function subtractedPart(
  model: ErrorModel,
  n: number,
  { rounded, flushes }: RowBound,
  [top, lost]: readonly [number, number],
): number {
  if (!model.subtractsInMerges) return 0;
  const stored = model.partialTiny;
  const part = partialSize(top + stored, { rounded, flushes, lost: lost + stored * flushes });
  return subtractedError(model, model.roundings(n), part);
}

/** The lesser of two bounds; one that is not a number says nothing. */
const leastOf = (a: number, b: number): number => (a < b || Number.isNaN(b) ? a : b);

/** By component: the largest of what is averaged, and what underflow and far keys may cost. */
interface Hull {
  readonly top: Float64Array;
  readonly lost: Float64Array;
  /** 1 + Z, Z at most the exact sum over the computed one: a far key is relative to either. */
  readonly apart: number;
}

/** Null where Lemma Hull is not proved, or far keys beside it are relative to a sum of unknown size. */
function newHull(to: RowBound, width: number, lost: number): Hull | null {
  const apart = to.anyFar ? 1 + 1 / Math.max(0, to.least) : 1;
  const flushes = to.flushes + apart * to.faintSum;
  if (!(provedFor(to.rounded) && flushes * SLACK < 1)) return null;
  return { top: new Float64Array(width), lost: new Float64Array(width).fill(lost), apart };
}

function hullSizes(
  { partialTiny: stored }: ErrorModel,
  { top, lost, apart }: Hull,
  [to, e, out]: readonly [to: RowBound, e: number, out: number],
) {
  const { rounded } = to;
  const flushes = to.flushes + apart * to.faintSum;
  // Every part's output is off by what it was stored with; a merge averages that.
  return {
    out,
    top: nth(top, e) + stored,
    lost: nth(lost, e) + stored * flushes,
    rounded,
    flushes,
  };
}

function addToHull(
  { top, lost, apart }: Hull,
  e: number,
  one: { kappa: number; flushed: number; far: boolean; faint: number; size: number },
): void {
  const { kappa, flushed, far, faint, size } = one;
  if (!far) top[e] = Math.max(nth(top, e), kappa * size);
  lost[e] = nth(lost, e) + (flushed + (far ? apart * kappa * faint : 0)) * size;
}
