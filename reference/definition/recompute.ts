/**
 * Activation recomputation: K = Y W_K, V = Y W_V and the gradients through it, spec (24)-(26).
 *
 * Columns of W_K and W_V are head-major: column h·d + c makes component c of KV head h.
 * @module
 */

import type { CaseParameters } from '../case/case.ts';
import type { Arithmetic } from '../numbers/arithmetic.ts';
import { entry } from '../numbers/nth.ts';
import { filled, forEachIndex, type Tensor } from '../numbers/tensor.ts';

/** Visual features and the projections that make K and V of them, spec (24). */
export interface Features<T> {
  y: Tensor<T>;
  wK: Tensor<T>;
  wV: Tensor<T>;
}

/** Extents of a projection: rows of `dim_y` numbers to `kv_heads` heads. */
export type ProjectionExtents = Pick<CaseParameters, 'batch' | 'kv_heads' | 'seq_kv' | 'dim_y'>;

/** X[b, h, j, c] = Σ_e y[b, j, e] · w[e, h·width + c]; shape [B, Hkv, Skv, width]. spec (24) */
export function project<T>(
  { add, mul, zero }: Arithmetic<T>,
  parameters: ProjectionExtents,
  y: Tensor<T>,
  w: Tensor<T>,
  width: number,
): Tensor<T> {
  const { batch, kv_heads, seq_kv, dim_y = 0 } = parameters;
  const projected = filled([batch, kv_heads, seq_kv, width], zero);
  forEachIndex(projected.shape, ([b = 0, h = 0, j = 0, c = 0]) => {
    let sum = zero;
    for (let e = 0; e < dim_y; e++) sum = add(sum, mul(y.get(b, j, e), w.get(e, h * width + c)));
    projected.set(b, h, j, c, sum);
  });
  return projected;
}

/** [K, V] of shapes [B, Hkv, Skv, d] and [B, Hkv, Skv, dv]. spec (24) */
export function recomputeKeysAndValues<T>(
  arithmetic: Arithmetic<T>,
  parameters: CaseParameters,
  { y, wK, wV }: Features<T>,
): [Tensor<T>, Tensor<T>] {
  return [
    project(arithmetic, parameters, y, wK, parameters.head_dim),
    project(arithmetic, parameters, y, wV, parameters.head_dim_v),
  ];
}

/** Add dX Wᵀ to dY [B, Skv, dim_y], and make dW = Yᵀ dX [dim_y, Hkv·width]. spec (25), (26) */
export function projectGradient<T>(
  { add, mul, zero }: Arithmetic<T>,
  y: Tensor<T>,
  w: Tensor<T>,
  dX: Tensor<T>,
  dY: Tensor<T>,
): Tensor<T> {
  const dW = filled(w.shape, zero);
  const dimY = entry(w.shape, 0);
  const width = entry(dX.shape, 3);
  forEachIndex(dX.shape, ([b = 0, h = 0, j = 0, c = 0]) => {
    const gradient = dX.get(b, h, j, c);
    const column = h * width + c;
    for (let e = 0; e < dimY; e++) {
      dY.set(b, j, e, add(dY.get(b, j, e), mul(gradient, w.get(e, column))));
      dW.set(e, column, add(dW.get(e, column), mul(y.get(b, j, e), gradient)));
    }
  });
  return dW;
}

/** dY, dW_K, dW_V from dK and dV. spec (25), (26) */
export function recomputeGradients<T>(
  arithmetic: Arithmetic<T>,
  { y, wK, wV }: Features<T>,
  dK: Tensor<T>,
  dV: Tensor<T>,
): { dY: Tensor<T>; dWK: Tensor<T>; dWV: Tensor<T> } {
  const dY = filled(y.shape, arithmetic.zero);
  const dWK = projectGradient(arithmetic, y, wK, dK, dY);
  const dWV = projectGradient(arithmetic, y, wV, dV, dY);
  return { dY, dWK, dWV };
}
