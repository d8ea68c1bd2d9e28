/**
 * The largest magnitudes of a case's inputs that coarse bounds are made of. spec/bounds.md §6
 * @module
 */

import type { AttentionCase } from '../../case/case.ts';
import { nth } from '../../numbers/nth.ts';
import { forEachRun, type Tensor } from '../../numbers/tensor.ts';
import { type ErrorModel, SLACK } from '../lemmas/error-model.ts';
import { projectionError, projectionTerms } from '../lemmas/step-errors.ts';
import { largestInput } from '../range/range-limits.ts';

/** Each at least that of every row or element; K and V as recomputed. */
export interface Largest {
  /** Euclidean length of a row, its Σ|x|, its largest |x|. */
  readonly qNorm: number;
  readonly qSum: number;
  readonly q: number;
  readonly kNorm: number;
  readonly kSum: number;
  readonly k: number;
  readonly vNorm: number;
  readonly vSum: number;
  readonly v: number;
  readonly dOutNorm: number;
  readonly dOutSum: number;
  readonly dOut: number;
  readonly dLse: number;
  readonly bias: number;
  readonly sink: number;
  /** 1/(1 − rate). */
  readonly kappa: number;
  /** Error of an element of K and V as operands. */
  readonly kError: number;
  readonly vError: number;
  /** Features and weights; 0 without recomputation. */
  readonly y: number;
  readonly w: number;
}

interface RowSizes {
  readonly norm: number;
  readonly sum: number;
  readonly largest: number;
}

/** Over rows of `width`; what is not finite is poison, which nobody reads. */
function rowSizes(tensor: Tensor | undefined, width: number): RowSizes {
  let [norm, sum, largest, at, squares, total] = [0, 0, 0, 0, 0, 0];
  if (tensor === undefined) return { norm, sum, largest };
  forEachRun(tensor, (_, run) => {
    for (let n = 0; n < run.length; n++) {
      const x = Math.abs(nth(run, n));
      if (x < Number.POSITIVE_INFINITY) {
        squares += x * x;
        total += x;
        largest = Math.max(largest, x);
      }
      if (++at < width) continue;
      norm = Math.max(norm, Math.sqrt(squares));
      sum = Math.max(sum, total);
      [at, squares, total] = [0, 0, 0];
    }
  });
  // Squares may underflow: no row is longer than √width times its largest element.
  const longest = Math.min(Math.sqrt(width) * largest, norm + Math.sqrt(width) * 2 ** -537);
  return { norm: longest * SLACK, sum: sum * SLACK, largest };
}

/** Rows of X = Y W, from the largest element that it can have. */
function projected(dimY: number, y: number, w: number, width: number): RowSizes {
  const largest = dimY * y * w * SLACK;
  return { norm: Math.sqrt(width) * largest * SLACK, sum: width * largest * SLACK, largest };
}

export function largestOf(c: AttentionCase, model: ErrorModel): Largest {
  const { inputs, parameters } = c;
  const { head_dim, head_dim_v, dim_y, dropout_rate } = parameters;
  const [y, wK, wV] = [largestInput(inputs.y), largestInput(inputs.w_k), largestInput(inputs.w_v)];
  const rows = (tensor: Tensor | undefined, w: number, width: number): RowSizes =>
    dim_y === undefined ? rowSizes(tensor, width) : projected(dim_y, y, w, width);
  const [q, dOut] = [rowSizes(inputs.q, head_dim), rowSizes(inputs.d_out, head_dim_v)];
  const [k, v] = [rows(inputs.k, wK, head_dim), rows(inputs.v, wV, head_dim_v)];
  const operandError = (w: number, x: number): number =>
    dim_y === undefined
      ? model.inputTiny
      : projectionError(projectionTerms(model, dim_y), {
          ...{ magnitude: dim_y * y * w, sizes: dim_y * (y + w), x },
        });
  return {
    ...{ qNorm: q.norm, qSum: q.sum, q: q.largest },
    ...{ kNorm: k.norm, kSum: k.sum, k: k.largest },
    ...{ vNorm: v.norm, vSum: v.sum, v: v.largest },
    ...{ dOutNorm: dOut.norm, dOutSum: dOut.sum, dOut: dOut.largest },
    dLse: largestInput(inputs.d_lse),
    bias: largestInput(inputs.bias),
    sink: largestInput(inputs.sink),
    kappa: inputs.dropout_keep === undefined ? 1 : (1 / (1 - dropout_rate)) * SLACK,
    kError: operandError(wK, k.largest),
    vError: operandError(wV, v.largest),
    y,
    w: Math.max(wK, wV),
  };
}

/** What the forward pass leaves for the backward pass, each at least that of any row. */
export interface CoarseForward {
  /** |s| and LSE − s of keys and sink, |LSE|; terms of a row, its sink included. */
  readonly score: number;
  readonly fromLse: number;
  readonly lse: number;
  readonly terms: number;
  /** Error of a weight in the log domain, of tanh, of the LSE, and of the rounded output. */
  readonly weight: number;
  readonly tError: number;
  readonly lseError: number;
  readonly outError: number;
}
