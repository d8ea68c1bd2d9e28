/**
 * One cross-attention layer dealt evenly over ranks: what every formula takes.
 * @module
 */

import type { BackwardSends, Extents, Sizes } from './messages.ts';
import type { Model } from './models.ts';

export interface Workload extends Sizes {
  readonly ranks: number;
  readonly ranks_per_node: number;
  /** Text positions and visual tokens of the whole sequence. */
  readonly seq_q: number;
  readonly seq_kv: number;
  readonly heads: number;
  readonly kv_heads: number;
  readonly head_dim: number;
  /** Width of the text and of the visual features. */
  readonly hidden: number;
  readonly visual_dim: number;
}

/** What may be done in one way or another. */
export interface Options {
  /** What LV-XAttn sends along backward: O as published, or D in its place. */
  readonly backwardSends: BackwardSends;
  /** Whether communication runs beside computation. */
  readonly overlap: boolean;
  /** Whether Ring Attention sends each KV head once for every query head, as its authors do. */
  readonly expandedHeads: boolean;
  /** Whether LV-XAttn recomputes Q, K and V in the backward pass instead of saving them. */
  readonly recomputes: boolean;
}

export const AS_PUBLISHED: Options = {
  backwardSends: 'output',
  overlap: true,
  expandedHeads: true,
  recomputes: true,
};

/**
 * A model's layer over ranks. Every element counts as the model's, the LSE too, as in the paper's
 * volumes; it is held in float32, so that `scalar_bytes` 4 is what a program sends.
 */
export function workloadOf(
  model: Model,
  on: { readonly ranks: number; readonly ranks_per_node: number },
  sizes: { readonly seq_q: number; readonly seq_kv: number },
): Workload {
  const { heads, kv_heads, head_dim, hidden, visual_dim, element_bytes } = model;
  const { ranks, ranks_per_node } = on;
  return {
    ...{ ranks, ranks_per_node, ...sizes, heads, kv_heads, head_dim, hidden, visual_dim },
    ...{ element_bytes, scalar_bytes: element_bytes },
  };
}

/** Width of all heads together. */
export const widthOf = ({ heads, head_dim }: Workload): number => heads * head_dim;

/** A rank's block of queries as messages count it. */
export const queryExtents = (w: Workload, rows = w.seq_q / w.ranks): Extents => ({
  ...{ batch: 1, rows, heads: w.heads, media: false },
  ...{ head_dim: w.head_dim, head_dim_v: w.head_dim },
});

/** A rank's block of keys, of so many heads. */
export const keyExtents = (w: Workload, heads = w.heads): Extents => ({
  ...queryExtents(w, w.seq_kv / w.ranks),
  heads,
});
