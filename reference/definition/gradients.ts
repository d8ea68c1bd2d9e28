/**
 * Attention, backward: every gradient, from the row states alone. spec (10)-(18)
 *
 * P is recomputed as exp(s − LSE); nothing of size Sq×Skv is stored. A masked key is absent: its
 * dK and dV are exact zeros. A row without keys contributes zero to everything.
 * @module
 */

import type { OutputName } from '../case/case.ts';
import { kvHead } from '../case/heads.ts';
import {
  broadcastIndex,
  filled,
  forEachIndex,
  sparseTensor,
  type Tensor,
} from '../numbers/tensor.ts';
import { attention, type Forward, probability, type RowChoice } from './attention.ts';
import type { Problem } from './lift.ts';
import { recomputeGradients } from './recompute.ts';
import { rowScores, type Score } from './scores.ts';

/** Gradients with the shapes of what they are gradients of; null where there is no such input. */
export interface Gradients<T> {
  readonly dQ: Tensor<T>;
  readonly dK: Tensor<T>;
  readonly dV: Tensor<T>;
  readonly dBias: Tensor<T> | null;
  readonly dSink: Tensor<T> | null;
  readonly dY: Tensor<T> | null;
  readonly dWK: Tensor<T> | null;
  readonly dWV: Tensor<T> | null;
}

type Row = [b: number, h: number, i: number];

/**
 * What is wanted: dQ, dBias and dSink of some query rows, dK and dV of some keys. Sums that reach
 * beyond the choice (dBias along broadcast axes, dSink, dW) are whole only when all they sum is in it.
 */
export interface Choice {
  readonly row: RowChoice;
  readonly dK: KeyChoice;
  readonly dV: KeyChoice;
}

/** Which keys to compute, by KV head. */
export type KeyChoice = (b: number, g: number, j: number) => boolean;

const EVERYTHING: Choice = { row: () => true, dK: () => true, dV: () => true };

/** Σ_c a[row, c]·b[c] over a row of `a` and any vector. */
function dotRow<T>(problem: Problem<T>, a: Tensor<T>, [b, h, i]: Row, at: (c: number) => T): T {
  const { add, mul, zero } = problem.arithmetic;
  let sum = zero;
  for (let c = 0; c < problem.parameters.head_dim_v; c++) {
    sum = add(sum, mul(a.get(b, h, i, c), at(c)));
  }
  return sum;
}

/** target[index] += value, reading through axes of extent 1. spec (17) */
function accumulate<T>(problem: Problem<T>, target: Tensor<T>, index: number[], value: T): void {
  const at = broadcastIndex(target.shape, index);
  target.set(...at, problem.arithmetic.add(target.get(...at), value));
}

/** One key's share of a row: dV, dBias, and through softcap and scale dQ and dK. */
function backwardKey<T>(
  problem: Problem<T>,
  gradients: Gradients<T>,
  [b, h, i]: Row,
  { j, t }: Score<T>,
  [p, delta]: [T, T],
  wanted: { row: boolean; dK: boolean; dV: boolean },
): void {
  const { arithmetic, parameters, q, k, v, dOut, dropout, scale } = problem;
  const { add, sub, mul, one } = arithmetic;
  const { dQ, dK, dV, dBias } = gradients;
  const g = kvHead(parameters, h);
  const kappa = dropout === null ? one : dropout(b, h, i, j);
  const weight = mul(kappa, p);
  for (let c = 0; wanted.dV && c < parameters.head_dim_v; c++) {
    dV.set(b, g, j, c, add(dV.get(b, g, j, c), mul(weight, dOut.get(b, h, i, c)))); // spec (10)
  }
  if (!wanted.row && !wanted.dK) return;
  const dP = mul(
    kappa,
    dotRow(problem, dOut, [b, h, i], (c) => v.get(b, g, j, c)),
  ); // spec (11)
  const dS = mul(p, add(dP, delta)); // spec (13), delta = dLSE − D
  if (dBias !== null && wanted.row) accumulate(problem, dBias, [b, h, i, j], dS);
  const dRaw = t === null ? dS : mul(dS, sub(one, mul(t, t))); // spec (14)
  const factor = mul(scale, dRaw);
  for (let c = 0; c < parameters.head_dim; c++) {
    if (wanted.row) dQ.set(b, h, i, c, add(dQ.get(b, h, i, c), mul(factor, k.get(b, g, j, c)))); // spec (15)
    if (wanted.dK) dK.set(b, g, j, c, add(dK.get(b, g, j, c), mul(factor, q.get(b, h, i, c)))); // spec (16)
  }
}

/** One row's share of everything. */
function backwardRow<T>(
  problem: Problem<T>,
  forward: Forward<T>,
  gradients: Gradients<T>,
  row: Row,
  choice: Choice,
): void {
  const state = forward.rows.get(...row);
  if (state === null) return; // spec (9)
  const { sub, mul, add } = problem.arithmetic;
  const d = dotRow(problem, problem.dOut, row, (c) => forward.out.get(...row, c)); // spec (12)
  const delta = sub(problem.dLse.get(...row), d);
  const [b, h] = row;
  const g = kvHead(problem.parameters, h);
  const wantsRow = choice.row(...row);
  for (const score of rowScores(problem, ...row)) {
    const { j } = score;
    const wanted = { row: wantsRow, dK: choice.dK(b, g, j), dV: choice.dV(b, g, j) };
    if (!wanted.row && !wanted.dK && !wanted.dV) continue;
    const p = probability(problem, state, score.s);
    backwardKey(problem, gradients, row, score, [p, delta], wanted);
  }
  if (problem.sink === null || gradients.dSink === null || !wantsRow) return;
  const p = probability(problem, state, problem.sink.get(h));
  gradients.dSink.set(h, add(gradients.dSink.get(h), mul(p, delta))); // spec (18)
}

/**
 * All gradients of the case, or those chosen (the others are not whole). The forward result is
 * computed when not given; it must hold every row that a chosen key or row needs.
 */
export function attentionGradients<T>(
  problem: Problem<T>,
  forward: Forward<T> = attention(problem),
  choice: Choice | null = null,
): Gradients<T> {
  const { arithmetic, parameters, q, k, v, bias, sink, features } = problem;
  const { zero } = arithmetic;
  const make = choice === null ? filled : sparseTensor;
  const like = (tensor: Tensor<T>): Tensor<T> => make<T>(tensor.shape, zero);
  const gradients: Gradients<T> = {
    dQ: like(q),
    dK: like(k),
    dV: like(v),
    dBias: bias === null ? null : like(bias),
    dSink: sink === null ? null : like(sink),
    dY: null,
    dWK: null,
    dWV: null,
  };
  const { batch, heads, seq_q } = parameters;
  forEachIndex([batch, heads, seq_q], ([b = 0, h = 0, i = 0]) => {
    backwardRow(problem, forward, gradients, [b, h, i], choice ?? EVERYTHING);
  });
  if (features === null) return gradients;
  const through = recomputeGradients(arithmetic, features, gradients.dK, gradients.dV);
  return { ...gradients, ...through };
}

/** Gradients, or bounds of gradients, under their contract names. */
export function gradientsByName<T>(gradients: Gradients<T>): [OutputName, Tensor<T> | null][] {
  return [
    ['d_q', gradients.dQ],
    ['d_k', gradients.dK],
    ['d_v', gradients.dV],
    ['d_bias', gradients.dBias],
    ['d_sink', gradients.dSink],
    ['d_y', gradients.dY],
    ['d_w_k', gradients.dWK],
    ['d_w_v', gradients.dWV],
  ];
}
