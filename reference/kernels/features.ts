/**
 * Recomputation with errors: K and V from the features, and the gradients through them. spec (24)-(26)
 * @module
 */
import type { AttentionCase, InputName } from '../case.ts';
import { elementCount, isRanged, type Tensor, tensorOf, toFlat } from '../tensor.ts';
import type { Sums } from './backward.ts';
import { type Matrix, product, transposed } from './matrix.ts';
import type { KernelModule } from './module.ts';
import { type KeyErrors, TILE } from './problem.ts';
import { norm } from './radius.ts';

export function matrixOf({ inputs }: AttentionCase, name: InputName, columns: number): Matrix {
  const tensor = inputs[name];
  if (tensor === undefined) throw new RangeError(`"${name}" expected a tensor, got none`);
  const value = Float64Array.from(toFlat(tensor));
  return { rows: value.length / columns, columns, value, error: null };
}

/** [B, heads, N, width] to [B·N, heads·width]. */
export function byKey(
  from: Float64Array,
  [batch, heads, n, width]: readonly [number, number, number, number],
): Float64Array {
  const to = new Float64Array(from.length);
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let j = 0; j < n; j++) {
        const source = ((b * heads + h) * n + j) * width;
        to.set(from.subarray(source, source + width), ((b * n + j) * heads + h) * width);
      }
    }
  }
  return to;
}

/** Keys that are recomputed at a time. */
const PART = 16 * TILE;

/** The features of some keys of a batch entry, [count, dim_y]. */
function featureRows(y: Tensor, b: number, first: number, count: number): Matrix {
  const { data, shape, offset } = y;
  const [, n = 0, columns = 0] = shape;
  const value = new Float64Array(count * columns);
  if (isRanged(data) && offset === 0 && data.length === elementCount(shape)) {
    data.read((b * n + first) * columns, value);
  } else {
    for (let at = 0; at < value.length; at++) {
      value[at] = y.get(b, first + Math.floor(at / columns), at % columns);
    }
  }
  return { rows: count, columns, value, error: null };
}

/** K or V [B, Hkv, Skv, width], and its errors over the keys of a head. */
interface Projected {
  readonly value: Float64Array;
  /** Largest of each component, [B·Hkv, width]; largest norm, [B·Hkv]. */
  readonly byComponent: Float64Array;
  readonly norms: Float64Array;
}

/** Rows of Y W, [keys, Hkv·width], to their places in K or V, from key `first` of batch entry `b` on. */
function place(
  { value, byComponent, norms }: Projected,
  rows: Sums,
  [b, first]: readonly [number, number],
  [heads, n, width]: readonly [number, number, number],
): void {
  for (let from = 0; from < rows.value.length; from += width) {
    const at = from / width;
    const [head, key] = [b * heads + (at % heads), first + Math.floor(at / heads)];
    value.set(rows.value.subarray(from, from + width), (head * n + key) * width);
    let squares = 0;
    for (let c = 0; c < width; c++) {
      const x = rows.error[from + c] ?? 0;
      squares += x * x;
      byComponent[head * width + c] = Math.max(byComponent[head * width + c] ?? 0, x);
    }
    norms[head] = Math.max(norms[head] ?? 0, norm(squares, width));
  }
}

/**
 * K and V as computed, with bounds of their errors. PART keys at a time: beside K and V themselves, only
 * as much is held as those need.
 */
export function recomputedKeys(
  kernels: KernelModule,
  attentionCase: AttentionCase,
  allocate: (length: number) => Float64Array,
): { k: Tensor; v: Tensor; errors: KeyErrors } {
  const { batch, kv_heads: heads, seq_kv: n, ...p } = attentionCase.parameters;
  const { head_dim: d, head_dim_v: dv } = p;
  const { y } = attentionCase.inputs;
  if (y === undefined) throw new RangeError('"y" expected a tensor, got none');
  const project = (name: 'w_k' | 'w_v', width: number) => {
    const w = matrixOf(attentionCase, name, heads * width);
    const byComponent = new Float64Array(batch * heads * width);
    const norms = new Float64Array(batch * heads);
    const to = { value: allocate(batch * heads * n * width), byComponent, norms };
    for (let b = 0; b < batch; b++) {
      for (let first = 0; first < n; first += PART) {
        const rows = product(kernels, featureRows(y, b, first, Math.min(PART, n - first)), w);
        place(to, rows, [b, first], [heads, n, width]);
      }
    }
    return { ...to, tensor: tensorOf<number>(to.value, [batch, heads, n, width]) };
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
      value: byKey(value, shape),
      error: byKey(error, shape),
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
