/**
 * Recomputation in double-double with radii: K and V from the features, and the gradients through them.
 * spec (24)-(26)
 *
 * Radii as in spec/bounds.md §9, lemma Slices.
 * @module
 */
import { doubleDouble } from '../arithmetic/double-double.ts';
import type { AttentionCase, InputName } from '../case.ts';
import { type Tensor, tensorOf } from '../tensor.ts';
import { type DoubleSums, newDoubleSums, put } from './double-forward.ts';
import { type DoubleMatrix, doubleProduct, doubleTransposed } from './double-matrix.ts';
import { STEP } from './double-radius.ts';
import { byKey, matrixOf } from './features.ts';
import type { KernelModule } from './module.ts';
import type { KernelProblem, KeyErrors } from './problem.ts';
import { norm, SLACK } from './radius.ts';
import type { RowReader } from './source.ts';

/** A case whose K and V may have low words, those recomputed from features. */
export interface DoubleProblem extends KernelProblem {
  readonly low: { readonly k: RowReader; readonly v: RowReader } | null;
}

/** A product as sums; a radius that is not finite says nothing. */
function sumsOf({ high, low, error }: DoubleMatrix): DoubleSums {
  const sums = newDoubleSums(high.length);
  high.forEach((hi, at) => {
    put(sums, at, { hi, lo: low?.[at] ?? 0 }, error?.[at] ?? 0);
  });
  return sums;
}

function exactMatrix(attentionCase: AttentionCase, name: InputName, columns: number): DoubleMatrix {
  const { rows, value } = matrixOf(attentionCase, name, columns);
  return { rows, columns, high: value, low: null, error: null };
}

/** [B·N, heads·width] to [B, heads, N, width]. */
function byHead(
  from: Float64Array,
  [, heads, n, width]: readonly [number, number, number, number],
): Float64Array {
  const to = new Float64Array(from.length);
  for (let at = 0; at < from.length / width; at++) {
    const [key, h] = [Math.floor(at / heads), at % heads];
    const head = Math.floor(key / n) * heads + h;
    const row = from.subarray(at * width, (at + 1) * width);
    to.set(row, (head * n + (key % n)) * width);
  }
  return to;
}

/** Largest error of each component and largest norm of a head's errors, [B, heads, N, width]. */
function headErrors(error: Float64Array, heads: number, n: number, width: number) {
  const byComponent = new Float64Array(heads * width);
  const norms = new Float64Array(heads);
  for (let row = 0; row < heads * n; row++) {
    const head = Math.floor(row / n);
    let squares = 0;
    for (let c = 0; c < width; c++) {
      const x = error[row * width + c] ?? 0;
      squares += x * x;
      byComponent[head * width + c] = Math.max(byComponent[head * width + c] ?? 0, x);
    }
    norms[head] = Math.max(norms[head] ?? 0, norm(squares, width));
  }
  return { byComponent, norms };
}

/** K and V recomputed in double-double, as two words each. */
export interface DoubleKeys<T> {
  readonly k: T;
  readonly v: T;
  readonly low: { readonly k: T; readonly v: T };
}

/** Each word made something else. */
export const keyWords = <T, U>({ k, v, low }: DoubleKeys<T>, f: (word: T) => U): DoubleKeys<U> => ({
  k: f(k),
  v: f(v),
  low: { k: f(low.k), v: f(low.v) },
});

/** K and V recomputed in double-double; null where they are given. */
export function doubleKeys(
  kernels: KernelModule,
  attentionCase: AttentionCase,
): (DoubleKeys<Tensor> & { readonly errors: KeyErrors }) | null {
  const { dim_y, batch, kv_heads: heads, seq_kv: n, ...p } = attentionCase.parameters;
  if (dim_y === undefined) return null;
  const y = exactMatrix(attentionCase, 'y', dim_y);
  const project = (name: 'w_k' | 'w_v', width: number) => {
    const shape = [batch, heads, n, width] as const;
    const w = exactMatrix(attentionCase, name, heads * width);
    const { high, low, error } = doubleProduct(kernels, y, w);
    const none = new Float64Array();
    const tensor = (values: Float64Array | null) =>
      tensorOf<number>(byHead(values ?? none, shape), shape);
    const errors = headErrors(byHead(error ?? none, shape), batch * heads, n, width);
    return { high: tensor(high), low: tensor(low), errors };
  };
  const [k, v] = [project('w_k', p.head_dim), project('w_v', p.head_dim_v)];
  const errors: KeyErrors = {
    keyNorm: k.errors.norms,
    valueNorm: v.errors.norms,
    key: k.errors.byComponent,
    value: v.errors.byComponent,
  };
  return { k: k.high, v: v.high, errors, low: { k: k.low, v: v.low } };
}

/** dY, dW_K and dW_V from dK and dV. spec (25), (26) */
export function doubleFeatureGradients(
  kernels: KernelModule,
  attentionCase: AttentionCase,
  dK: DoubleSums,
  dV: DoubleSums,
): { d_y: DoubleSums; d_w_k: DoubleSums; d_w_v: DoubleSums } {
  const { batch, kv_heads: heads, seq_kv: n, ...p } = attentionCase.parameters;
  const y = doubleTransposed(exactMatrix(attentionCase, 'y', p.dim_y ?? 0));
  const through = (name: 'w_k' | 'w_v', width: number, sums: DoubleSums) => {
    const shape = [batch, heads, n, width] as const;
    const gradient: DoubleMatrix = {
      rows: batch * n,
      columns: heads * width,
      high: byKey(sums.high, shape),
      low: byKey(sums.low, shape),
      error: byKey(sums.radius, shape),
    };
    const w = doubleTransposed(exactMatrix(attentionCase, name, heads * width));
    return {
      dY: sumsOf(doubleProduct(kernels, gradient, w)),
      dW: sumsOf(doubleProduct(kernels, y, gradient)),
    };
  };
  const [k, v] = [through('w_k', p.head_dim, dK), through('w_v', p.head_dim_v, dV)];
  const dY = newDoubleSums(k.dY.high.length);
  dY.high.forEach((_, at) => {
    const word = ({ high, low }: DoubleSums) => ({ hi: high[at] ?? 0, lo: low[at] ?? 0 });
    const sum = doubleDouble.add(word(k.dY), word(v.dY));
    const error = (k.dY.radius[at] ?? 0) + (v.dY.radius[at] ?? 0);
    put(dY, at, sum, (error + Math.abs(sum.hi) * STEP) * SLACK);
  });
  return { d_y: dY, d_w_k: k.dW, d_w_v: v.dW };
}
