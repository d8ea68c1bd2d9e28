/**
 * The shape of each output of a case, and the axis along which ranks hold blocks of inputs and outputs.
 * @module
 */
import { reshaped, type Tensor } from '../numbers/tensor.ts';
import type { AttentionCase, InputName, OutputName, Outputs } from './case.ts';

/** Shape of an output, row-major, as in the contract. */
export function outputShape(
  { parameters, inputs }: Pick<AttentionCase, 'parameters' | 'inputs'>,
  name: OutputName,
): number[] {
  const { batch, heads, kv_heads, seq_q, seq_kv, head_dim, head_dim_v, dim_y = 0 } = parameters;
  switch (name) {
    case 'out':
      return [batch, heads, seq_q, head_dim_v];
    case 'lse':
      return [batch, heads, seq_q];
    case 'd_q':
      return [batch, heads, seq_q, head_dim];
    case 'd_k':
      return [batch, kv_heads, seq_kv, head_dim];
    case 'd_v':
      return [batch, kv_heads, seq_kv, head_dim_v];
    case 'd_y':
      return [batch, seq_kv, dim_y];
    case 'd_bias':
      return [...(inputs.bias?.shape ?? [])];
    case 'd_sink':
      return [heads];
    case 'd_w_k':
      return [dim_y, kv_heads * head_dim];
    case 'd_w_v':
      return [dim_y, kv_heads * head_dim_v];
  }
}

/** Outputs of the same elements under the shapes of this case. */
export function reshapedOutputs<T>(
  attentionCase: Pick<AttentionCase, 'parameters' | 'inputs'>,
  outputs: Outputs<T>,
): Outputs<T> {
  const named = Object.entries(outputs) as [OutputName, Tensor<T>][];
  return Object.fromEntries(
    named.map(([name, tensor]) => [name, reshaped(tensor, outputShape(attentionCase, name))]),
  );
}

/** Along which axis ranks hold blocks, and whether those are of queries or of keys. */
export interface ShardedAlong {
  readonly axis: number;
  readonly by: 'q' | 'kv';
}

/**
 * Where ranks hold blocks of an input; null = every rank holds all of it. What is said of pairs (bias,
 * mask, dropout_keep) stays whole whatever its shape: which part of it a rank needs depends on whether
 * queries or keys travel.
 */
export function inputShardedAlong(name: InputName): ShardedAlong | null {
  switch (name) {
    case 'q':
    case 'd_out':
    case 'd_lse':
      return { axis: 2, by: 'q' };
    case 'media_text':
      return { axis: 1, by: 'q' };
    case 'k':
    case 'v':
      return { axis: 2, by: 'kv' };
    case 'y':
    case 'media_key':
      return { axis: 1, by: 'kv' };
    default:
      return null;
  }
}

/** Where ranks hold blocks of an output; null = nowhere, rank 0 has all of it. */
export function shardedAlong(name: OutputName): ShardedAlong | null {
  switch (name) {
    case 'out':
    case 'lse':
    case 'd_q':
      return { axis: 2, by: 'q' };
    case 'd_k':
    case 'd_v':
      return { axis: 2, by: 'kv' };
    case 'd_y':
      return { axis: 1, by: 'kv' };
    default:
      return null;
  }
}
