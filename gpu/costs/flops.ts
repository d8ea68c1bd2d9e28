/**
 * Floating-point operations: of one block of queries against one block of keys, and of projections.
 * A multiplication and an addition are two.
 * @module
 */
import type { Direction } from '../schedule.ts';

/** Extents of one (query block, key block) pair. */
export interface BlockPair {
  readonly rows: number;
  readonly keys: number;
  readonly heads: number;
  readonly head_dim: number;
  readonly head_dim_v: number;
}

/**
 * Matrix products of a block pair. Forward QKᵀ and PV; backward QKᵀ again, dO Vᵀ, Pᵀ dO, dS K and
 * dSᵀ Q: 4 and 10 times rows · keys · heads · head_dim where both head dimensions are the same.
 */
export function blockPairFlops(x: BlockPair, direction: Direction): number {
  const each = 2 * x.rows * x.keys * x.heads;
  return direction === 'forward'
    ? each * (x.head_dim + x.head_dim_v)
    : each * (3 * x.head_dim + 2 * x.head_dim_v);
}

/** One product of `rows` rows by a weight [from, to]. */
export const projectionFlops = (rows: number, from: number, to: number): number =>
  2 * rows * from * to;
