/**
 * A case as the kernels see it: readers of its rows, its pairs, and the numbers that do not change.
 * @module
 */

import type { AttentionCase, CaseInputs, CaseParameters } from '../../case/case.ts';
import { entry } from '../../numbers/nth.ts';
import type { Tensor } from '../../numbers/tensor.ts';
import { SEES, U } from '../float64/radius.ts';
import type { Tile } from '../module.ts';
import { type Room, reusedRoom } from './room.ts';
import { type Pairs, pairsOf, type RowReader, rowReader } from './source.ts';

/** Queries and keys of a tile: both multiples of four, and of the chunk of a product. */
export const TILE = 128;

/** Tiles of keys whose products are summed by themselves before they join the whole: fewer roundings for each. */
export const GROUP = 64;

/**
 * Row length of a tile of pairs (scores, their bias and gradients): PAIR_ROW of assembly/product.ts. A
 * power of two would put every row of a column into the same few lines of the cache.
 */
export const PAIR_STRIDE = 136;

/** K and V recomputed from features are off by a little; K and V given are exact. */
export interface KeyErrors {
  /** Largest ‖ΔK_j‖ of a head, [B·Hkv]. */
  readonly keyNorm: Float64Array;
  readonly valueNorm: Float64Array;
  /** Largest |ΔK_jc|, [B·Hkv, d]; and |ΔV_jc|, [B·Hkv, dv]. */
  readonly key: Float64Array;
  readonly value: Float64Array;
}

export interface KernelProblem {
  readonly parameters: CaseParameters;
  readonly inputs: CaseInputs;
  readonly pairs: Pairs;
  readonly q: RowReader;
  readonly k: RowReader;
  readonly v: RowReader;
  /** Null without gradients. */
  readonly dOut: RowReader | null;
  readonly dLse: Tensor | null;
  readonly sink: Float64Array | null;
  readonly keyErrors: KeyErrors | null;
  /** For what is under way on this thread. */
  readonly room: Room;
  /** κ of a kept pair, computed as 1/(1 − rate), off by at most 3u of it; 1 without dropout. */
  readonly kappa: number;
  readonly kappaError: number;
  /** d and dv rounded up to a multiple of four. */
  readonly width: number;
  readonly valueWidth: number;
}

/** Rows of the panels that so many take. */
export const fours = (n: number): number => Math.ceil(n / 4) * 4;

/** Columns of a tile that its elementwise passes go through. */
export const eights = (n: number): number => Math.ceil(n / 8) * 8;

/** The case over its own K and V, or over those recomputed. */
export function kernelProblem(
  attentionCase: AttentionCase,
  { k, v }: Pick<KernelProblem, 'k' | 'v'>,
  keyErrors: KeyErrors | null,
): KernelProblem {
  const { parameters, inputs } = attentionCase;
  const { q, d_out, d_lse, sink, dropout_keep } = inputs;
  if (q === undefined) throw new RangeError('"q" expected a tensor, got none');
  const dropout = dropout_keep !== undefined;
  return {
    parameters,
    inputs,
    pairs: pairsOf(attentionCase),
    q: rowReader(q),
    k,
    v,
    dOut: d_out === undefined ? null : rowReader(d_out),
    dLse: d_lse ?? null,
    sink:
      sink === undefined
        ? null
        : Float64Array.from({ length: parameters.heads }, (_, h) => sink.get(h)),
    keyErrors,
    room: reusedRoom(),
    kappa: dropout ? 1 / (1 - parameters.dropout_rate) : 1,
    kappaError: dropout ? 3 * U : 0,
    width: fours(parameters.head_dim),
    valueWidth: fours(parameters.head_dim_v),
  };
}

/** The rows of one index list, TILE at a time. */
export function tilesOf(indices: ArrayLike<number>): number[][] {
  const list = Array.from(indices);
  const tiles: number[][] = [];
  for (let n = 0; n < list.length; n += TILE) tiles.push(list.slice(n, n + TILE));
  return tiles;
}

/** Copies the rows of one (b, h) into `target`, row length `width`. */
export function readRows(
  reader: RowReader,
  b: number,
  h: number,
  indices: ArrayLike<number>,
  target: Float64Array,
  width: number,
): void {
  if (reader.gather !== null) {
    reader.gather(b, h, indices, target, width);
    return;
  }
  const count = indices.length;
  const first = entry(indices, 0);
  const adjacent = entry(indices, count - 1) - first === count - 1;
  if (reader.block !== null && adjacent && reader.width === width) {
    reader.block(b, h, first, count, target);
    return;
  }
  for (let n = 0; n < count; n++) reader.row(b, h, entry(indices, n), target, n * width);
}

/**
 * Some rows of a head, which of them have seen a key, and the largest |bias| that they have met. That a row
 * is empty is known from here alone: its numbers may be −∞ where a score is beyond float64.
 */
export interface SeeingRows {
  readonly h: number;
  readonly rows: readonly number[];
  /** 0, SEES or SEES_FAR, [rows]. */
  readonly seeing: Uint8Array;
  bias: number;
}

/**
 * Calls `visit` with every tile of rows that sees one of the keys, what mask, bias and dropout say of them laid
 * out before; `biased`: the bias tile has something to say.
 */
export function eachSeeing<T extends SeeingRows>(
  { pairs }: KernelProblem,
  { bias, keep }: { readonly bias: Tile; readonly keep: Tile },
  b: number,
  tiles: readonly T[],
  keys: readonly number[],
  visit: (tile: T, biased: boolean) => void,
): void {
  const biased = !pairs.plain || eights(keys.length) !== keys.length;
  for (const tile of tiles) {
    const at = [b, tile.h] as const;
    if (biased) {
      const largest = pairs.scores(bias.view, at, tile.rows, keys, PAIR_STRIDE, tile.seeing);
      if (largest < 0) continue;
      tile.bias = Math.max(tile.bias, largest);
    } else tile.seeing.fill(SEES);
    if (pairs.dropout) pairs.kept(keep.view, at, tile.rows, keys, PAIR_STRIDE);
    visit(tile, biased);
  }
}
