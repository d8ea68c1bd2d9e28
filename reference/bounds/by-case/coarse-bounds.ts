/**
 * Bounds for the whole case at once, from its largest inputs alone: cheap where the bounds of every
 * element would take as long as the answer. spec/bounds.md §3-4
 *
 * Every step's error is a rising function of magnitudes (step-errors.ts, gradient-errors.ts). Here each
 * magnitude is replaced by one that no element of the case exceeds: Σ|q||k| by the longest q times the
 * longest k, |LSE| by the largest score and log n, P by 1 in one pair and by Σ P = 1 along a row. So a
 * bound from here is at least the judge's own worst case, of every element; coarse-bounds.test.ts holds
 * the two together.
 * @module
 */

import type { AttentionCase, OutputName } from '../../case/case.ts';
import { log } from '../../numbers/float64.ts';
import { lseStored, roundedBeside } from '../by-pair/bounds.ts';
import { fewProducts } from '../by-pair/operands.ts';
import { caseModel, type ErrorModel, growth, SLACK } from '../lemmas/error-model.ts';
import { heldScoreError, heldScoreTerms } from '../lemmas/held-errors.ts';
import {
  grantedError,
  logitReach,
  mostMerges,
  partialSize,
  subtractedError,
} from '../lemmas/merge-errors.ts';
import { type ProfileLike, profileFrom } from '../lemmas/profile-options.ts';
import {
  biasError,
  convertedError,
  dividedError,
  finalRounding,
  flush,
  quotient,
  softcapError,
  tanhError,
  unroundedError,
  weightError,
} from '../lemmas/step-errors.ts';
import { nothingOverflows } from '../range/within-range.ts';
import { coarseGradients } from './coarse-gradients.ts';
import { type CoarseForward, type Largest, largestOf } from './coarse-magnitudes.ts';

/** Lemmas Score, Softcap, Bias. */
function scoreErrors(c: AttentionCase, model: ErrorModel, max: Largest) {
  const { head_dim: d, softcap: cap } = c.parameters;
  const scale = Math.abs(c.parameters.scale);
  const carried = max.qSum * max.kError;
  const sizes = max.qSum + max.kSum + d * max.kError;
  const raw = scale * max.qNorm * max.kNorm;
  const capped = cap === 0 ? raw : Math.min(cap, raw);
  const few = fewProducts(model, Math.max(d, c.parameters.dim_y ?? 0));
  let error = few
    ? heldScoreError(heldScoreTerms(model, { scale, d }), max.qNorm * max.kNorm, carried, sizes)
    : Number.POSITIVE_INFINITY;
  let tError = 0;
  if (cap !== 0) {
    tError = tanhError(model, cap, { raw, least: 0, error });
    error = softcapError(model, cap, { capped, tError });
  }
  const score = capped + max.bias;
  if (c.inputs.bias !== undefined)
    error = biasError(model, { score, capped, bias: max.bias, error });
  const sink = c.inputs.sink === undefined ? 0 : model.stored * max.sink + model.storedTiny;
  return { score: Math.max(score, max.sink), error: Math.max(error, sink), tError };
}

/** Lemmas Weight, Denominator, Log, Output. */
function coarseForward(c: AttentionCase, model: ErrorModel, max: Largest): CoarseForward {
  const { seq_kv, partition } = c.parameters;
  const { score, error, tError } = scoreErrors(c, model, max);
  const terms = seq_kv + (c.inputs.sink === undefined ? 0 : 1);
  const merges = mostMerges(partition.ranks, c.inputs.sink !== undefined);
  const operations = 3 * terms + merges;
  const lse = score + log(Math.max(1, terms)) * (1 + 2 ** -40);
  const fromLse = lse + score;
  const slack = 1 + error + model.headroom;
  const summed = model.roundings(terms);
  const reach = logitReach(Math.max(lse, score + error), slack);
  const granted = grantedError(model, summed, reach);
  const row = { summed, merges, lse, slack, granted };
  const weight = weightError(model, row, score, fromLse, error);
  const flushes = 2 * terms * flush(model, { leaf: model.weightTiny, size: 1, operations });
  const beside = roundedBeside(model);
  // Lemma Denominator asks as much of every key, and here none is far.
  const proved = (weight - error + beside) * SLACK <= 0.5;
  const b = proved ? growth(weight) + flushes : Number.POSITIVE_INFINITY;
  const { v, vError } = max;
  const kappa = max.kappa * (1 + model.held.kappa);
  const leaf = kappa * (model.weightTiny + model.operandTiny) + model.tiny;
  const flushed = 2 * flush(model, { leaf, size: kappa, operations });
  const grown = growth(weight + beside);
  const base =
    2 * terms * flush(model, { leaf: model.tiny, size: 0, operations }) +
    model.partialTiny * (1 + grown + flushes);
  const top = kappa * (v + vError);
  const part = partialSize(top + model.partialTiny, {
    rounded: weight - error + beside,
    flushes,
    lost: base + terms * flushed * top,
  });
  const numerator =
    subtractedError(model, summed, part) +
    base +
    (kappa * grown + terms * flushed) * v +
    (kappa * (1 + grown) + terms * flushed) * vError;
  const divided = dividedError(numerator, kappa * v, b, 1 - b) + model.held.kappa * max.kappa * v;
  const out = unroundedError(model, kappa * v, divided);
  return {
    ...{ score, fromLse, lse, terms, weight, tError },
    lseError: convertedError(model, lse, quotient(b)),
    outError: out + finalRounding(model, kappa * v + out),
  };
}

/**
 * Above this size of an input the judge's own double-double may overflow (products of up to six are
 * formed, and split), so that it has no bound; nor has this.
 */
const DOUBLE_DOUBLE_MAX = 2 ** 160;

/** A bound of every element of an output, stored with this roundoff; infinite where there is none. */
export type CoarseBounds = (name: OutputName, storedRoundoff: number) => number;

/** Worst-case bounds that hold for all elements of an output alike; O(inputs) to compute. */
export function coarseBounds(c: AttentionCase, asked: ProfileLike): CoarseBounds {
  const profile = profileFrom(asked);
  const model = caseModel(profile, c.parameters, null);
  const max = largestOf(c, model);
  const forward = coarseForward(c, model, max);
  const sizes = [max.q, max.k, max.v, max.dOut, max.dLse, max.bias, max.sink, max.y, max.w];
  const tooLarge = profile.base === 'f64' && Math.max(...sizes) > DOUBLE_DOUBLE_MAX;
  if (tooLarge || !nothingOverflows(c, model, forward.lseError)) {
    return () => Number.POSITIVE_INFINITY;
  }
  const gradients = coarseGradients(c, model, max, forward);
  return (name, stored) => {
    const bound =
      name === 'lse'
        ? lseStored(model, forward.lse, forward.lseError, stored)
        : name === 'out'
          ? forward.outError
          : (gradients.get(name) ?? Number.POSITIVE_INFINITY);
    return bound * SLACK < model.outputMax ? bound * SLACK : Number.POSITIVE_INFINITY;
  };
}
