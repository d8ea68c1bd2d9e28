/**
 * Bounds of the gradients for all elements of a case at once. spec/bounds.md §4, coarse-bounds.ts
 * @module
 */

import type { AttentionCase, OutputName } from '../../case/case.ts';
import { outputShape } from '../../case/case-shapes.ts';
import { elementCount } from '../../numbers/tensor.ts';
import { errorOfSum, summing } from '../by-pair/summed.ts';
import { type ErrorModel, growth } from '../lemmas/error-model.ts';
import {
  etaIn,
  fromKey,
  fromKeyTerms,
  fromOutput,
  probabilityError,
  projectedTerms,
  projectionTermError,
  recomputedWeight,
  scoreGradientError,
  scoreGradientTerms,
  softcapGradientError,
  storedGradientError,
} from '../lemmas/gradient-errors.ts';
import {
  heldGradientError,
  heldGradientTerms,
  heldKeyConstant,
  heldKeyOfOperand,
  heldKeyTerms,
  heldValueConstant,
  heldValueOfCotangent,
  heldValueTerms,
} from '../lemmas/held-errors.ts';
import type { CoarseForward, Largest } from './coarse-magnitudes.ts';

/** A sum that is an element of a gradient: error of its terms, their magnitudes, their number. */
interface Summed {
  readonly error: number;
  readonly magnitude: number;
  readonly terms: number;
}

/** One pair of a row, or all of them, for which Σ P = 1: dS and what is made of it. */
interface Pairs {
  readonly p: number;
  readonly pError: number;
  readonly dS: number;
  readonly dSError: number;
  readonly raw: number;
  readonly rawError: number;
  readonly count: number;
}

interface Backward {
  readonly c: AttentionCase;
  readonly model: ErrorModel;
  readonly max: Largest;
  readonly forward: CoarseForward;
}

/** Lemma Accumulate; the exact sum is at most the magnitude of what is summed. */
function finishSum(
  { c, model }: Backward,
  { error, magnitude, terms }: Summed,
  name: OutputName,
): number {
  const { heads, kv_heads, partition } = c.parameters;
  const parts = name === 'd_k' || name === 'd_v' ? heads / kv_heads : 1;
  const sum = summing(
    { ...model, anchored: false },
    { count: terms, ranks: partition.ranks, parts },
  );
  return errorOfSum(sum, error, magnitude, magnitude, 0);
}

/** Lemmas Recomputed P, dP, D, dS, Softcap factor: `count` pairs of a row, with Σ P ≤ 1. */
function pairsOf({ c, model, max, forward }: Backward, count: number): Pairs {
  const { head_dim_v: width, softcap } = c.parameters;
  const { kappa } = max;
  const products = max.dOutNorm * max.vNorm;
  const sizes = max.dOutSum + width * etaIn(model) + max.vSum + width * max.vError;
  const g = kappa * products;
  const carried = max.dOutSum * max.vError;
  const ofG = heldGradientTerms(model, width);
  const gError = heldGradientError(ofG, kappa, products, carried, sizes, g);
  const { score, fromLse, weight } = forward;
  const grown = growth(recomputedWeight(model, forward, forward, score, fromLse, weight));
  const missed = (pairs: number): number => pairs * probabilityError(model, 0, grown);
  const [all, pError] = [forward.terms, grown + missed(count)];
  const ofKey = fromKeyTerms(model, all);
  const fromKeys =
    fromKey(ofKey, 1, grown + missed(all), g, gError) + all * fromKey(ofKey, 0, 0, g, gError);
  const outSizes = kappa * max.vSum + width * forward.outError;
  const fromOut = fromOutput(model, width, [g, max.dOutSum * forward.outError, outSizes]);
  const dError = Math.max(fromOut, fromKeys);
  const row = { d: g, dLse: max.dLse };
  const ofScore = scoreGradientTerms(model, row, dError);
  const weighed = scoreGradientError(ofScore, 1, pError, g, gError);
  const every = scoreGradientError(ofScore, 0, 0, g, gError);
  const dSError = weighed + count * every;
  const dS = 2 * g + max.dLse;
  const slope = { slope: 1, t: 1, tError: forward.tError };
  const rawError =
    softcapGradientError(model, softcap, [dS, weighed], slope) +
    count * softcapGradientError(model, softcap, [0, every], slope);
  return { p: 1, pError, dS, dSError, raw: dS, rawError, count };
}

/** dQ sums the pairs of a row; dK one pair of every row of its group, as does dV. */
function directSums(to: Backward): [OutputName, Summed][] {
  const { c, model, max } = to;
  const { batch, heads, kv_heads, seq_q, seq_kv } = c.parameters;
  const scale = Math.abs(c.parameters.scale);
  const [one, all] = [pairsOf(to, 1), pairsOf(to, seq_kv)];
  const rows = (heads / kv_heads) * seq_q;
  const key = heldKeyTerms(model, scale);
  const none = heldKeyConstant(key, 0, 0);
  const ofK = heldKeyOfOperand(key, all.raw, all.rawError) + seq_kv * heldKeyOfOperand(key, 0, 0);
  const dQ = ofK * max.k + (ofK + scale * all.raw) * max.kError;
  const value = heldValueTerms(model);
  const ofValue = [max.kappa, one.p, one.pError] as const;
  const sums: [OutputName, Summed][] = [
    [
      'd_q',
      {
        error: dQ + heldKeyConstant(key, all.raw, all.rawError) + seq_kv * none,
        magnitude: scale * all.raw * max.k,
        terms: seq_kv,
      },
    ],
    [
      'd_k',
      {
        error:
          rows *
          (heldKeyOfOperand(key, one.raw, one.rawError) * max.q +
            heldKeyConstant(key, one.raw, one.rawError)),
        magnitude: rows * scale * one.raw * max.q,
        terms: rows,
      },
    ],
    [
      'd_v',
      {
        error:
          rows *
          (heldValueOfCotangent(value, ...ofValue) * max.dOut +
            heldValueConstant(value, ...ofValue)),
        magnitude: rows * max.kappa * max.dOut,
        terms: rows,
      },
    ],
  ];
  const stored = storedGradientError(model, one.dS, one.dSError);
  if (c.inputs.bias !== undefined) {
    const elements = Math.max(1, elementCount(outputShape(c, 'd_bias')));
    const terms = (batch * heads * seq_q * seq_kv) / elements;
    sums.push(['d_bias', { error: terms * stored, magnitude: terms * one.dS, terms }]);
  }
  if (c.inputs.sink !== undefined) {
    const terms = batch * seq_q;
    sums.push(['d_sink', { error: terms * stored, magnitude: terms * one.dS, terms }]);
  }
  return sums;
}

/** Lemma Project, from dK and dV: dY sums over the heads' components, dW over the keys. */
function projectionSums(
  to: Backward,
  [dK, dV]: readonly [Summed, Summed],
  [kError, vError]: readonly [number, number],
): [OutputName, Summed][] {
  const { model, max, c } = to;
  const { batch, kv_heads, seq_kv, head_dim, head_dim_v } = c.parameters;
  const part = (size: number, error: number, a: number, terms: number): Summed => ({
    error: terms * projectionTermError(projectedTerms(model), size, error, a),
    magnitude: terms * size * a,
    terms,
  });
  const [y1, y2] = [
    part(dK.magnitude, kError, max.w, kv_heads * head_dim),
    part(dV.magnitude, vError, max.w, kv_heads * head_dim_v),
  ];
  const dY = {
    error: y1.error + y2.error,
    magnitude: y1.magnitude + y2.magnitude,
    terms: y1.terms + y2.terms,
  };
  return [
    ['d_y', dY],
    ['d_w_k', part(dK.magnitude, kError, max.y, batch * seq_kv)],
    ['d_w_v', part(dV.magnitude, vError, max.y, batch * seq_kv)],
  ];
}

/** A bound of every element of each gradient. */
export function coarseGradients(
  c: AttentionCase,
  model: ErrorModel,
  max: Largest,
  forward: CoarseForward,
): ReadonlyMap<OutputName, number> {
  const to: Backward = { c, model, max, forward };
  const sums = new Map(directSums(to));
  const bounds = new Map<OutputName, number>();
  for (const [name, sum] of sums) bounds.set(name, finishSum(to, sum, name));
  const [dK, dV] = [sums.get('d_k'), sums.get('d_v')];
  if (c.parameters.dim_y === undefined || dK === undefined || dV === undefined) return bounds;
  const errors = [bounds.get('d_k') ?? 0, bounds.get('d_v') ?? 0] as const;
  for (const [name, sum] of projectionSums(to, [dK, dV], errors)) {
    bounds.set(name, finishSum(to, sum, name));
  }
  return bounds;
}
