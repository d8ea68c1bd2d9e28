/**
 * What a layer does to its rows alone, forward and backward: norms, projections, heads.
 *
 * Rows are [B, R, C]; heads are [B, H, R, d]. Every function gives new tensors; gradients that are
 * sums are added into a tensor that is given.
 * @module
 */

import { project, projectGradient } from '../../reference/definition/recompute.ts';
import type { Arithmetic } from '../../reference/numbers/arithmetic.ts';
import { filled, forEachIndex, type Tensor } from '../../reference/numbers/tensor.ts';
import type { Numbers } from './numbers.ts';

const extents = ({ shape }: Tensor<unknown>): [number, number, number] => [
  shape[0] ?? 0,
  shape[1] ?? 0,
  shape[2] ?? 0,
];

/** Rows times weights, as heads: [B, R, C] · [C, H·d] → [B, H, R, d]. */
export function toHeads<T>(
  arithmetic: Arithmetic<T>,
  rows: Tensor<T>,
  w: Tensor<T>,
  heads: number,
): Tensor<T> {
  const [batch, seq_kv, dim_y] = extents(rows);
  const width = (w.shape[1] ?? 0) / heads;
  return project(arithmetic, { batch, kv_heads: heads, seq_kv, dim_y }, rows, w, width);
}

/** Rows times weights, [B, R, C] · [C, D] → [B, R, D]. */
export function linear<T>(arithmetic: Arithmetic<T>, rows: Tensor<T>, w: Tensor<T>): Tensor<T> {
  return rowsOf(arithmetic, toHeads(arithmetic, rows, w, 1));
}

/** Adds the rows' gradient of a projection to `dRows`; the weights' gradient. */
export const projectionGradient = projectGradient;

/** Heads side by side: [B, H, R, d] → [B, R, H·d]. */
export function rowsOf<T>({ zero }: Arithmetic<T>, heads: Tensor<T>): Tensor<T> {
  const [batch, count, rows] = extents(heads);
  const width = heads.shape[3] ?? 0;
  const out = filled<T>([batch, rows, count * width], zero);
  forEachIndex(heads.shape, ([b = 0, h = 0, i = 0, c = 0]) => {
    out.set(b, i, h * width + c, heads.get(b, h, i, c));
  });
  return out;
}

/** And back: [B, R, H·d] → [B, H, R, d]. */
export function headsOf<T>({ zero }: Arithmetic<T>, rows: Tensor<T>, count: number): Tensor<T> {
  const [batch, length, wide] = extents(rows);
  const width = wide / count;
  const out = filled<T>([batch, count, length, width], zero);
  forEachIndex(out.shape, ([b = 0, h = 0, i = 0, c = 0]) => {
    out.set(b, h, i, c, rows.get(b, i, h * width + c));
  });
  return out;
}

/** f of two tensors of one shape, element by element. */
export function zip<T>(
  { zero }: Arithmetic<T>,
  a: Tensor<T>,
  b: Tensor<T>,
  f: (x: T, y: T) => T,
): Tensor<T> {
  const out = filled<T>(a.shape, zero);
  forEachIndex(a.shape, (at) => out.set(...at, f(a.get(...at), b.get(...at))));
  return out;
}

/** target += values. */
export function addTo<T>({ add }: Arithmetic<T>, target: Tensor<T>, values: Tensor<T>): void {
  forEachIndex(target.shape, (at) => target.set(...at, add(target.get(...at), values.get(...at))));
}

/** Σ a∘b over all elements, in their order. */
export function dot<T>({ zero, add, mul }: Arithmetic<T>, a: Tensor<T>, b: Tensor<T>): T {
  let sum = zero;
  forEachIndex(a.shape, (at) => {
    sum = add(sum, mul(a.get(...at), b.get(...at)));
  });
  return sum;
}

/** How vectors along the last axis are normalised. */
export interface NormWeights<T> {
  /** [C] */
  readonly weight: Tensor<T>;
  /** [C]; with a bias the mean is subtracted first. null: RMSNorm. */
  readonly bias: Tensor<T> | null;
  readonly epsilon: number;
}

function meanOf<T>({ zero, add, div, fromNumber }: Arithmetic<T>, x: readonly T[]): T {
  const sum = x.reduce((before, value) => add(before, value), zero);
  return div(sum, fromNumber(x.length));
}

/** A vector less its mean where that is asked for, and 1/√(mean square + ε). */
function centred<T>(
  { arithmetic, sqrt }: Numbers<T>,
  { bias, epsilon }: NormWeights<T>,
  x: readonly T[],
): { c: readonly T[]; r: T } {
  const { one, add, sub, mul, div, fromNumber } = arithmetic;
  const mean = meanOf(arithmetic, x);
  const c = bias === null ? x : x.map((value) => sub(value, mean));
  const squares = c.map((value) => mul(value, value));
  return { c, r: div(one, sqrt(add(meanOf(arithmetic, squares), fromNumber(epsilon)))) };
}

/** Calls `visit` with each vector along the last axis. */
function forEachVector<T>(x: Tensor<T>, visit: (at: number[], vector: T[]) => void): void {
  const width = x.shape.at(-1) ?? 0;
  forEachIndex(x.shape.slice(0, -1), (at) => {
    visit(
      at,
      Array.from({ length: width }, (_, c) => x.get(...at, c)),
    );
  });
}

/** n = c·r∘w (+ b), c = x or x − mean, r = 1/√(mean(c²) + ε). */
export function normalise<T>(
  numbers: Numbers<T>,
  weights: NormWeights<T>,
  x: Tensor<T>,
): Tensor<T> {
  const { zero, add, mul } = numbers.arithmetic;
  const { weight, bias } = weights;
  const out = filled<T>(x.shape, zero);
  forEachVector(x, (at, vector) => {
    const { c, r } = centred(numbers, weights, vector);
    for (const [n, value] of c.entries()) {
      const scaled = mul(mul(value, r), weight.get(n));
      out.set(...at, n, bias === null ? scaled : add(scaled, bias.get(n)));
    }
  });
  return out;
}

/**
 * dx = r·(g − (c·r)·mean(g∘c·r)), g = dn∘w, less its mean where the mean was subtracted. Weight
 * gradients are added into `dWeight` and `dBias`.
 */
export function normaliseGradient<T>(
  numbers: Numbers<T>,
  weights: NormWeights<T>,
  x: Tensor<T>,
  dN: Tensor<T>,
  sums: { readonly weight: Tensor<T>; readonly bias: Tensor<T> | null },
): Tensor<T> {
  const { zero, add, sub, mul } = numbers.arithmetic;
  const dX = filled<T>(x.shape, zero);
  const mean = (values: readonly T[]): T => meanOf(numbers.arithmetic, values);
  forEachVector(x, (at, vector) => {
    const { c, r } = centred(numbers, weights, vector);
    const unit = c.map((value) => mul(value, r));
    const d = unit.map((_, n) => dN.get(...at, n));
    for (const [n, value] of d.entries()) {
      sums.weight.set(n, add(sums.weight.get(n), mul(value, unit[n] ?? zero)));
      sums.bias?.set(n, add(sums.bias.get(n), value));
    }
    const g = d.map((value, n) => mul(value, weights.weight.get(n)));
    const along = mean(g.map((value, n) => mul(value, unit[n] ?? zero)));
    const across = unit.map((u, n) => mul(r, sub(g[n] ?? zero, mul(u, along))));
    const drift = weights.bias === null ? zero : mean(across);
    for (const [n, value] of across.entries()) dX.set(...at, n, sub(value, drift));
  });
  return dX;
}
