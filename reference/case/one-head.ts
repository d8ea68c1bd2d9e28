/**
 * A case narrowed to one query head of one batch entry: the same question about it, with views of the
 * same tensors.
 * @module
 */

import { block, type Tensor } from '../numbers/tensor.ts';
import type { AttentionCase, CaseInputs, InputName } from './case.ts';
import { kvHead } from './heads.ts';

/** The axes of batch and head of each input, from the front; null = it broadcasts to four axes. */
const AXES: Partial<Record<InputName, readonly (number | undefined)[]>> = {
  q: [0, 1],
  k: [0, 1],
  v: [0, 1],
  d_out: [0, 1],
  d_lse: [0, 1],
  kv_lengths: [0],
  sink: [undefined, 0],
  media_text: [0],
  media_key: [0],
};

/** One entry of an axis that has more than one; a broadcast axis stays. */
function narrowed(tensor: Tensor, axis: number | undefined, at: number): Tensor {
  if (axis === undefined || axis < 0 || (tensor.shape[axis] ?? 1) === 1) return tensor;
  return block(tensor, axis, at, 1);
}

/** Query head (b, h) alone, its KV head beside it. Not for a case that recomputes its keys. */
export function oneHead(attentionCase: AttentionCase, b: number, h: number): AttentionCase {
  const { parameters, inputs } = attentionCase;
  if (parameters.dim_y !== undefined) throw new RangeError('"k" expected a tensor, got features');
  const g = kvHead(parameters, h);
  const views: CaseInputs = {};
  for (const [key, tensor] of Object.entries(inputs)) {
    const name = key as InputName;
    const skip = 4 - tensor.shape.length;
    const [batch, head] = AXES[name] ?? [0 - skip, 1 - skip];
    const ofHead = name === 'k' || name === 'v' ? g : h;
    views[name] = narrowed(narrowed(tensor, batch, b), head, ofHead);
  }
  return {
    ...attentionCase,
    parameters: { ...parameters, batch: 1, heads: 1, kv_heads: 1 },
    inputs: views,
  };
}
