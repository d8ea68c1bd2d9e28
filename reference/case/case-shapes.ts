/**
 * The shape of each output of a case, and the axis along which ranks hold blocks of it.
 * @module
 */
import type { AttentionCase, OutputName } from './case.ts';

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

/** Where ranks hold blocks of an output: along which axis, by query or key blocks; null = nowhere. */
export function shardedAlong(name: OutputName): { axis: number; by: 'q' | 'kv' } | null {
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
