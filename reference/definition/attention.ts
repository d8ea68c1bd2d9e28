/**
 * Attention, forward: the definition, over any number system. spec (1)-(9)
 *
 * Nothing of size Sq×Skv is kept: a row leaves behind its output and its log-sum-exp, held as
 * (m, l) with LSE = m + log l, so that systems without a logarithm keep it exactly.
 * @module
 */

import { kvHead } from '../case/heads.ts';
import { filled, forEachIndex, sparseTensor, type Tensor } from '../numbers/tensor.ts';
import type { Problem } from './lift.ts';
import { rowScores, type Score } from './scores.ts';

/** Log-sum-exp of a row as m + log l, l ≥ 1 part of it at its maximum; null is −∞. */
export type RowState<T> = { readonly m: T; readonly l: T } | null;

/** What the forward pass leaves behind. */
export interface Forward<T> {
  /** [B, Hq, Sq, dv] */
  readonly out: Tensor<T>;
  /** [B, Hq, Sq]; null where a row attends to nothing and has no sink. */
  readonly rows: Tensor<RowState<T>>;
}

/** m = max of the scores and the sink; l = Σ exp(s − m), the sink's term included. spec (6) */
function rowState<T>(problem: Problem<T>, row: Score<T>[], h: number): RowState<T> {
  const { add, sub, exp, compare, zero } = problem.arithmetic;
  const logits = row.map(({ s }) => s);
  if (problem.sink !== null) logits.push(problem.sink.get(h));
  const [first, ...rest] = logits;
  if (first === undefined) return null;
  const m = rest.reduce((max, s) => (compare(s, max) > 0 ? s : max), first);
  const l = logits.reduce((sum, s) => add(sum, exp(sub(s, m))), zero);
  return { m, l };
}

/** P = exp(s − LSE), recomputed from the row's state alone. spec (7) */
export function probability<T>(problem: Problem<T>, state: { m: T; l: T }, s: T): T {
  const { sub, exp, div } = problem.arithmetic;
  return div(exp(sub(s, state.m)), state.l);
}

/** Which query rows to compute. */
export type RowChoice = (b: number, h: number, i: number) => boolean;

/** Forward attention of the whole case, or of the rows chosen; the others stay empty. */
export function attention<T>(problem: Problem<T>, chosen: RowChoice | null = null): Forward<T> {
  const { batch, heads, seq_q, head_dim_v } = problem.parameters;
  const { zero } = problem.arithmetic;
  const make = chosen === null ? filled : sparseTensor;
  const out = make<T>([batch, heads, seq_q, head_dim_v], zero);
  const rows = make<RowState<T>>([batch, heads, seq_q], null);
  forEachIndex([batch, heads, seq_q], ([b = 0, h = 0, i = 0]) => {
    if (chosen !== null && !chosen(b, h, i)) return;
    const row = rowScores(problem, b, h, i); // pass 1: scores
    const state = rowState(problem, row, h); // pass 2: maximum and sum
    if (state === null) return; // spec (9): O = 0, LSE = −∞
    rows.set(b, h, i, state);
    weightedSum(problem, row, state, [b, h, i], out); // passes 3 and 4: weights, O = P V
  });
  return { out, rows };
}

/** O = Σ_j κ P_j V_j, divided by l once at the end. spec (8) */
function weightedSum<T>(
  problem: Problem<T>,
  row: Score<T>[],
  { m, l }: { m: T; l: T },
  [b, h, i]: [number, number, number],
  out: Tensor<T>,
): void {
  const { arithmetic, parameters, v, dropout } = problem;
  const { add, sub, mul, div, exp, zero } = arithmetic;
  const g = kvHead(parameters, h);
  const weights = row.map(({ j, s }) => {
    const e = exp(sub(s, m));
    return dropout === null ? e : mul(e, dropout(b, h, i, j));
  });
  for (let c = 0; c < parameters.head_dim_v; c++) {
    let sum = zero;
    row.forEach(({ j }, n) => {
      sum = add(sum, mul(weights[n] ?? zero, v.get(b, g, j, c)));
    });
    out.set(b, h, i, c, div(sum, l));
  }
}

/** LSE = m + log l [B, Hq, Sq], of all rows or those chosen; null is −∞. spec (6) */
export function logSumExp<T>(
  problem: Problem<T>,
  rows: Tensor<RowState<T>>,
  chosen: RowChoice | null = null,
): Tensor<T | null> {
  const { add, log } = problem.arithmetic;
  const lse = (chosen === null ? filled : sparseTensor)<T | null>(rows.shape, null);
  forEachIndex(rows.shape, (index) => {
    const [b = 0, h = 0, i = 0] = index;
    if (chosen !== null && !chosen(b, h, i)) return;
    const state = rows.get(...index);
    if (state !== null) lse.set(...index, add(state.m, log(state.l)));
  });
  return lse;
}
