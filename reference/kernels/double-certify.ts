/**
 * certifyDouble: the outputs of a case in double-double by the fast kernels, with radii.
 *
 * The level of the ladder between the float64 kernels and the definition over balls. What its slices
 * cannot hold, and very large recomputed K and V, is left to that. Derivation: spec/bounds.md §9.
 * @module
 */
import type { AttentionCase, OutputName } from '../case.ts';
import { DOUBLE_RANGE, doubleBackward, finishSums } from './double-backward.ts';
import { type DoubleProblem, doubleFeatureGradients, doubleProblem } from './double-features.ts';
import {
  type DoubleRows,
  type DoubleSums,
  doubleForward,
  newDoubleRows,
  newDoubleSums,
} from './double-forward.ts';
import {
  type DoubleScoreSums,
  doubleBiasGradient,
  doubleDeltas,
  doubleSinkGradient,
} from './double-row-sums.ts';
import { emptyResults, forwardRows, ROW_BLOCK } from './forward.ts';
import { kernelModule } from './module.ts';
import { TILE } from './problem.ts';

/** Outputs by name, flat; rows and keys are those chosen. */
export type CertifiedDouble = Partial<Record<OutputName, DoubleSums>>;

export interface DoubleOptions {
  /** Rising positions, the same for every head; absent = all. */
  readonly rows?: readonly number[] | undefined;
  readonly keys?: readonly number[] | undefined;
}

/** Numbers in recomputed K and V, all of which are held at once: cases with more are left out. */
export const RECOMPUTED_MOST = 2 ** 22;

const range = (length: number): number[] => Array.from({ length }, (_, n) => n);

/** Each part of `list`, `size` at a time, and where it starts. */
function eachPart(
  list: readonly number[],
  size: number,
  visit: (part: readonly number[], start: number) => void,
): void {
  for (let n = 0; n < list.length; n += size) visit(list.slice(n, n + size), n);
}

function forward(problem: DoubleProblem, rows: readonly number[]): DoubleRows {
  const { batch, heads, head_dim_v } = problem.parameters;
  const count = batch * heads * rows.length;
  const float64 = emptyResults(count, head_dim_v, (length) => new Float64Array(length));
  const kernels = kernelModule();
  const eachHead = (size: number, visit: typeof forwardRows | typeof doubleForward, to: never) => {
    for (let head = 0; head < batch * heads; head++) {
      const at = [Math.floor(head / heads), head % heads] as const;
      eachPart(rows, size, (part, start) =>
        visit(kernels, problem, at, part, to, head * rows.length + start),
      );
    }
  };
  eachHead(ROW_BLOCK, forwardRows, float64 as never);
  const results = newDoubleRows(float64.m, head_dim_v);
  eachHead(TILE, doubleForward, results as never);
  return results;
}

/** One backward pass over rows and keys. */
function backward(
  problem: DoubleProblem,
  rows: readonly number[],
  keys: readonly number[],
  results: DoubleRows,
  wanted: { readonly q: boolean; readonly k: boolean; readonly v: boolean },
  scores: DoubleScoreSums | null = null,
): CertifiedDouble {
  const { parameters: p } = problem;
  const deltas = doubleDeltas(problem, rows, results);
  const onScores = scores?.listener ?? null;
  let most = 0;
  const sums = (wants: boolean, length: number) => (wants ? newDoubleSums(length) : null);
  const dQ = sums(wanted.q, p.batch * p.heads * rows.length * p.head_dim);
  const dK = sums(wanted.k, p.batch * p.kv_heads * keys.length * p.head_dim);
  const dV = sums(wanted.v, p.batch * p.kv_heads * keys.length * p.head_dim_v);
  const group = p.heads / p.kv_heads;
  for (let head = 0; head < p.batch * p.kv_heads; head++) {
    let lost = 0;
    const at = { b: Math.floor(head / p.kv_heads), g: head % p.kv_heads };
    eachPart(keys, DOUBLE_RANGE, (part, start) => {
      const offset = head * keys.length + start;
      const keyCount = keys.length;
      const shared = { rows, results, deltas, keys: part, keyCount, offset, onScores };
      const here = doubleBackward(kernelModule(), problem, { ...at, ...shared, dQ, dK, dV });
      lost += here;
      most = Math.max(most, here);
      const [d, dv] = [p.head_dim, p.head_dim_v];
      if (dK !== null) finishSums(dK, offset * d, part.length * d, p.scale, here);
      if (dV !== null) finishSums(dV, offset * dv, part.length * dv, null, here);
    });
    const perHead = rows.length * p.head_dim;
    if (dQ !== null) finishSums(dQ, head * group * perHead, group * perHead, p.scale, lost);
  }
  return {
    ...(dQ === null ? {} : { d_q: dQ }),
    ...(dK === null ? {} : { d_k: dK }),
    ...(dV === null ? {} : { d_v: dV }),
    ...(scores === null ? {} : { d_bias: scores.sums(most) }),
  };
}

/** The wanted gradients of a whole case. */
function wholeGradients(
  attentionCase: AttentionCase,
  problem: DoubleProblem,
  results: DoubleRows,
): CertifiedDouble {
  const { parameters: p } = attentionCase;
  const wants = (name: OutputName): boolean => p.wants.includes(name);
  const [rows, keys] = [range(p.seq_q), range(p.seq_kv)];
  const features = wants('d_y') || wants('d_w_k') || wants('d_w_v');
  const wanted = { q: wants('d_q'), k: wants('d_k') || features, v: wants('d_v') || features };
  const scores = wants('d_bias') ? doubleBiasGradient(attentionCase) : null;
  const found: CertifiedDouble = {};
  if (wants('d_sink')) {
    const deltas = doubleDeltas(problem, rows, results);
    found.d_sink = doubleSinkGradient(problem, rows, results, deltas);
  }
  if (wanted.q || wanted.k || wanted.v || scores !== null) {
    Object.assign(found, backward(problem, rows, keys, results, wanted, scores));
  }
  if (features && found.d_k !== undefined && found.d_v !== undefined) {
    const { d_k, d_v } = found;
    Object.assign(found, doubleFeatureGradients(kernelModule(), attentionCase, d_k, d_v));
  }
  const named = Object.entries(found).filter(([name]) => wants(name as OutputName));
  return Object.fromEntries(named);
}

/**
 * The wanted outputs; dBias, dSink, dY and dW of whole cases only, none where more than RECOMPUTED_MOST
 * numbers would be recomputed.
 */
export function certifyDouble(
  attentionCase: AttentionCase,
  options: DoubleOptions = {},
): CertifiedDouble {
  const { parameters: p } = attentionCase;
  const numbers = p.batch * p.kv_heads * p.seq_kv * (p.head_dim + p.head_dim_v);
  if (p.dim_y !== undefined && numbers > RECOMPUTED_MOST) return {};
  const problem = doubleProblem(kernelModule(), attentionCase);
  const wants = (name: OutputName): boolean => p.wants.includes(name);
  const [allRows, allKeys] = [range(p.seq_q), range(p.seq_kv)];
  const [rows, keys] = [options.rows ?? allRows, options.keys ?? allKeys];
  const certified: CertifiedDouble = {};
  const wanted = { q: wants('d_q'), k: wants('d_k'), v: wants('d_v') };
  const results =
    wants('out') || wants('lse') || wanted.q
      ? forward(problem, rows)
      : newDoubleRows(new Float64Array(), 1);
  if (wants('out')) certified.out = results.out;
  if (wants('lse')) certified.lse = results.lse;
  const whole = rows.length === p.seq_q && keys.length === p.seq_kv;
  if (whole && p.wants.some((name) => name.startsWith('d_'))) {
    const ready = results.m.length > 0 ? results : forward(problem, rows);
    return { ...certified, ...wholeGradients(attentionCase, problem, ready) };
  }
  if (wanted.q) {
    const only = { q: true, k: false, v: false };
    Object.assign(certified, backward(problem, rows, allKeys, results, only));
  }
  if (wanted.k || wanted.v) {
    const every =
      rows.length === p.seq_q && results.m.length > 0 ? results : forward(problem, allRows);
    Object.assign(certified, backward(problem, allRows, keys, every, { ...wanted, q: false }));
  }
  return certified;
}
