/**
 * Inputs and outputs rearranged: picking keys, batch entries or heads from every tensor of a case.
 * @module
 */
import type {
  AttentionCase,
  CaseInputs,
  InputName,
  OutputName,
} from '../../reference/case/case.ts';
import { forEachIndex, type Tensor, zeros } from '../../reference/numbers/tensor.ts';

/** Axes of the inputs and gradients, counted from the end; a broadcast axis of extent 1 stays. */
const KEY_AXES: Partial<Record<InputName, number>> = {
  k: 2,
  v: 2,
  bias: 1,
  mask: 1,
  dropout_keep: 1,
  media_key: 1,
  y: 2,
};
const BATCH_AXES: Partial<Record<InputName, number>> = {
  q: 4,
  k: 4,
  v: 4,
  d_out: 4,
  d_lse: 3,
  bias: 4,
  mask: 4,
  kv_lengths: 1,
  dropout_keep: 4,
  media_text: 2,
  media_key: 2,
  y: 3,
};
const HEAD_AXES: Partial<Record<InputName, number>> = {
  q: 3,
  d_out: 3,
  d_lse: 2,
  bias: 3,
  mask: 3,
  sink: 1,
  dropout_keep: 3,
};

const KV_HEAD_AXES: Partial<Record<InputName, number>> = { k: 3, v: 3 };

export type Axis = 'keys' | 'batch' | 'heads' | 'kvHeads';
const AXES = { keys: KEY_AXES, batch: BATCH_AXES, heads: HEAD_AXES, kvHeads: KV_HEAD_AXES };

/** New positions n take what was at pick[n], along one axis. */
export function picked(tensor: Tensor, axis: number, pick: readonly number[]): Tensor {
  const shape = tensor.shape.map((extent, n) => (n === axis ? pick.length : extent));
  const result = zeros(shape);
  forEachIndex(shape, (index) => {
    const from = index.map((x, n) => (n === axis ? (pick[x] ?? 0) : x));
    result.set(...index, tensor.get(...from));
  });
  return result;
}

/** Every input that has this axis, with the axis picked from; the others are not in the result. */
export function pickInputs(c: AttentionCase, axis: Axis, pick: readonly number[]): CaseInputs {
  const result: CaseInputs = {};
  for (const [key, fromEnd] of Object.entries(AXES[axis])) {
    const tensor = c.inputs[key as InputName];
    if (tensor === undefined) continue;
    const at = tensor.shape.length - fromEnd;
    if (at < 0 || (isBroadcast(key) && tensor.shape[at] === 1)) continue;
    result[key as InputName] = picked(tensor, at, pick);
  }
  return result;
}

function isBroadcast(name: string): boolean {
  return name === 'bias' || name === 'mask' || name === 'dropout_keep';
}

/** Where an output has the key axis, or null; a bias that is shared over keys has none. */
export function keyAxis(c: AttentionCase, output: OutputName): number | null {
  if (output === 'd_k' || output === 'd_v') return 2;
  if (output === 'd_y') return 1;
  if (output !== 'd_bias') return null;
  const shape = c.inputs.bias?.shape ?? [];
  return (shape[shape.length - 1] ?? 1) === 1 ? null : shape.length - 1;
}
