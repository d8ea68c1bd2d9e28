/**
 * One cross-attention layer dealt evenly over ranks: what every formula takes.
 * @module
 */

import type { ElementSizes, Extents } from '../wire.ts';
import type { Model } from './models.ts';

export interface Workload extends ElementSizes {
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
  /** Ranks of a group under USP, where they are asked for. */
  readonly group?: number | undefined;
}

/** Which third tensor the backward pass sends along: O, as published, or D = rowsum(O ∘ dO). */
export type BackwardSends = 'output' | 'delta';

/** What may be done in one way or another. */
export interface Options {
  /** What queries take along backward in the schedules that let them travel round all ranks. */
  readonly backwardSends: BackwardSends;
  /** Whether communication runs beside computation. */
  readonly overlap: boolean;
  /** Whether Ring Attention sends each KV head once for every query head, as its authors do. */
  readonly expandedHeads: boolean;
  /** Whether LV-XAttn recomputes Q, K and V in the backward pass instead of saving them. */
  readonly recomputes: boolean;
  /**
   * Whether Ulysses and head-parallel are counted as the paper does, which is not what our schedules
   * send: Ulysses with each KV head once for every query head, without LSE, and without Q, K and V
   * sent again backward; head-parallel with rows of x and y in place of Q, K and V.
   */
  readonly paperCounts: boolean;
}

/** What the LV-XAttn paper compares. */
export const AS_PUBLISHED: Options = {
  backwardSends: 'output',
  overlap: true,
  expandedHeads: true,
  recomputes: true,
  paperCounts: true,
};

/** What `xattn run` does unless told otherwise, and the clock with it: to the byte. */
export const AS_RUN: Options = {
  ...AS_PUBLISHED,
  backwardSends: 'delta',
  expandedHeads: false,
  paperCounts: false,
};

/**
 * A model's layer over ranks. Every element counts as the model's, the LSE too, as in the paper's
 * volumes; it is held in float32, so that `scalar_bytes` 4 is what a program sends.
 */
export function workloadOf(
  model: Model,
  on: { readonly ranks: number; readonly ranks_per_node: number },
  { seq_q, seq_kv, group }: Pick<Workload, 'seq_q' | 'seq_kv' | 'group'>,
): Workload {
  const { heads, kv_heads, head_dim, hidden, visual_dim, element_bytes } = model;
  const { ranks, ranks_per_node } = on;
  return {
    ...{ ranks, ranks_per_node, seq_q, seq_kv, heads, kv_heads, head_dim, hidden, visual_dim },
    group,
    ...{ element_bytes, scalar_bytes: element_bytes },
  };
}

/** Width of all heads together. */
export const widthOf = ({ heads, head_dim }: Workload): number => heads * head_dim;

/**
 * The layer as wire.ts sizes it. Blocks are equal and may be fractions of a row, so that block 0 stands
 * for each: of a million ranks too.
 */
export const extentsOf = (w: Workload): Extents => ({
  ...{ batch: 1, heads: w.heads, kv_heads: w.kv_heads, media: null },
  ...{ head_dim: w.head_dim, head_dim_v: w.head_dim },
  partition: { ranks: w.ranks, q: [w.seq_q / w.ranks], kv: [w.seq_kv / w.ranks] },
});
