/**
 * Context: one case as the host works on it, in flat row-major arrays rounded to the operand format.
 * @module
 */

import type { AttentionCase, InputName } from '../../../reference/case/case.ts';
import { visibility } from '../../../reference/case/mask.ts';
import { broadcastIndex, flatOf, type Tensor, toFlat } from '../../../reference/numbers/tensor.ts';
import type { Precision } from './precision.ts';
import type { Context, Flat, Range, Seams } from './seams.ts';

/** `array[index]`, 0 past its end. */
export function read(array: Float64Array, index: number): number {
  return array[index] ?? 0;
}

/** Flat position of [b, h, n, c] in a tensor of extents [·, heads, length, width]. */
export function flatIndex(
  [heads, length, width]: readonly [number, number, number],
  b: number,
  h: number,
  n: number,
  c: number,
): number {
  return ((b * heads + h) * length + n) * width + c;
}

/** Flat position in a tensor that broadcasts to the index. */
export const broadcastFlat = (shape: readonly number[], index: readonly number[]): number =>
  flatOf(shape, broadcastIndex(shape, index));

export function ranges(sizes: readonly number[]): Range[] {
  let start = 0;
  return sizes.map((size) => {
    const range = { start, stop: start + size };
    start += size;
    return range;
  });
}

const flat = (tensor: Tensor): Flat => ({
  data: Float64Array.from(toFlat(tensor)),
  shape: tensor.shape,
});

/** The case for the host. K and V are zeros where they are recomputed later. */
export function contextOf(attentionCase: AttentionCase, seams: Seams, round: Precision): Context {
  const { parameters: p } = attentionCase;
  const inputs: Context['inputs'] = {};
  for (const [name, tensor] of Object.entries(attentionCase.inputs)) {
    inputs[name as InputName] = flat(tensor);
  }
  const kvSize = p.batch * p.kv_heads * p.seq_kv;
  const rowCount = p.batch * p.heads * p.seq_q;
  // A key that nobody attends to may hold NaN; left out, it never meets a number.
  const operand = (name: InputName, size: number): Float64Array =>
    inputs[name]?.data.map(round.operand) ?? new Float64Array(size);
  return {
    attentionCase,
    p,
    seams,
    round,
    visible: visibility(attentionCase),
    rows: ranges(p.partition.q),
    keys: ranges(p.partition.kv),
    q: operand('q', 0),
    k: operand('k', kvSize * p.head_dim),
    v: operand('v', kvSize * p.head_dim_v),
    dOut: operand('d_out', rowCount * p.head_dim_v),
    dLse: inputs.d_lse?.data.map(round.score) ?? new Float64Array(rowCount),
    inputs,
  };
}
