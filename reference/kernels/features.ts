/**
 * Recomputation with errors: K and V from the features, and the gradients through them. spec (24)-(26)
 * @module
 */
import type { AttentionCase, InputName } from '../case.ts';
import { type Tensor, tensorOf, toFlat } from '../tensor.ts';
import type { Sums } from './backward.ts';
import { type Matrix, product, transposed } from './matrix.ts';
import type { KernelModule } from './module.ts';
import type { KeyErrors } from './problem.ts';
import { norm } from './radius.ts';

function matrixOf({ inputs }: AttentionCase, name: InputName, columns: number): Matrix {
  const tensor = inputs[name];
  if (tensor === undefined) throw new RangeError(`"${name}" expected a tensor, got none`);
  const value = Float64Array.from(toFlat(tensor));
  return { rows: value.length / columns, columns, value, error: null };
}

/** [B·N, heads·width] to [B, heads, N, width], or back. */
function regroup(
  from: Float64Array,
  [batch, heads, n, width]: readonly [number, number, number, number],
  back: boolean,
): Float64Array {
  const to = new Float64Array(from.length);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let j = 0; j < n; j++) {
        const byHead = ((b * heads + h) * n + j) * width;
        const byKey = ((b * n + j) * heads + h) * width;
        const [source, target] = back ? [byHead, byKey] : [byKey, byHead];
        to.set(from.subarray(source, source + width), target);
      }
    }
  }
  return to;
}

/** Largest error of each component and largest norm of a head's errors. */
function headErrors(error: Float64Array, heads: number, n: number, width: number) {
  const byComponent = new Float64Array(heads * width);
  const norms = new Float64Array(heads);
  for (let head = 0; head < heads; head++) {
    for (let j = 0; j < n; j++) {
      let squares = 0;
      for (let c = 0; c < width; c++) {
        const x = error[(head * n + j) * width + c] ?? 0;
        squares += x * x;
        byComponent[head * width + c] = Math.max(byComponent[head * width + c] ?? 0, x);
      }
      norms[head] = Math.max(norms[head] ?? 0, norm(squares, width));
    }
  }
  return { byComponent, norms };
}

/** K and V as computed, with bounds of their errors. */
export function recomputedKeys(
  kernels: KernelModule,
  attentionCase: AttentionCase,
): { k: Tensor; v: Tensor; errors: KeyErrors } {
  const { batch, kv_heads: heads, seq_kv: n, ...p } = attentionCase.parameters;
  const { dim_y = 0, head_dim: d, head_dim_v: dv } = p;
  const y = matrixOf(attentionCase, 'y', dim_y);
  const project = (name: 'w_k' | 'w_v', width: number) => {
    const { value, error } = product(kernels, y, matrixOf(attentionCase, name, heads * width));
    const shape = [batch, heads, n, width] as const;
    return {
      tensor: tensorOf<number>(regroup(value, shape, false), shape),
      ...headErrors(regroup(error, shape, false), batch * heads, n, width),
    };
  };
  const [k, v] = [project('w_k', d), project('w_v', dv)];
  return {
    k: k.tensor,
    v: v.tensor,
    errors: { keyNorm: k.norms, valueNorm: v.norms, key: k.byComponent, value: v.byComponent },
  };
}

/** dY, dW_K and dW_V from dK and dV. spec (25), (26) */
export function featureGradients(
  kernels: KernelModule,
  attentionCase: AttentionCase,
  dK: Sums,
  dV: Sums,
): { dY: Sums; dWK: Sums; dWV: Sums } {
  const { batch, kv_heads: heads, seq_kv: n, ...p } = attentionCase.parameters;
  const { dim_y = 0, head_dim: d, head_dim_v: dv } = p;
  const y = transposed(matrixOf(attentionCase, 'y', dim_y));
  const through = (name: 'w_k' | 'w_v', width: number, { value, error }: Sums) => {
    const shape = [batch, heads, n, width] as const;
    const gradient: Matrix = {
      rows: batch * n,
      columns: heads * width,
      value: regroup(value, shape, true),
      error: regroup(error, shape, true),
    };
    const w = transposed(matrixOf(attentionCase, name, heads * width));
    return { dY: product(kernels, gradient, w), dW: product(kernels, y, gradient) };
  };
  const [k, v] = [through('w_k', d, dK), through('w_v', dv, dV)];
  const value = k.dY.value.map((x, at) => x + (v.dY.value[at] ?? 0));
  const error = k.dY.error.map(
    (x, at) => x + (v.dY.error[at] ?? 0) + Math.abs(value[at] ?? 0) * 2 ** -53,
  );
  return { dY: { value, error }, dWK: k.dW, dWV: v.dW };
}
