/**
 * The certified forward pass of a block of query rows: fused, tile by tile of keys, in float64.
 *
 * spec (6)-(9), in the order of the merge (20): each tile of keys is a partial result, brought to the
 * running maximum and added. Radii as in spec/bounds.md, "The kernels' radii".
 * @module
 */

import { kvHead } from '../../case/heads.ts';
import { nth } from '../../numbers/nth.ts';
import type { KernelModule } from '../module.ts';
import {
  eachSeeing,
  eights,
  GROUP,
  type KernelProblem,
  PAIR_STRIDE,
  readRows,
  TILE,
  tilesOf,
} from '../walk/problem.ts';
import { finishBlock } from './forward-finish.ts';
import { norm } from './radius.ts';
import {
  blockOf,
  type OpenBlock,
  openBlock,
  type RowPart,
  type RowResults,
  type RowTile,
  type Tiles,
} from './row-blocks.ts';

/** A tile of keys and values in the kernels' memory. */
interface KeyTile {
  readonly keys: readonly number[];
  /** Largest ‖K_j‖ and |V_jc|. */
  readonly key: number;
  readonly value: number;
}

/** Reads and packs one tile of keys, and their values' largest magnitudes. */
function loadKeys(
  { run }: KernelModule,
  { parameters: p, k, v, width, valueWidth }: KernelProblem,
  t: Tiles,
  [b, g]: readonly [number, number],
  keys: readonly number[],
): KeyTile {
  const n = keys.length;
  readRows(k, b, g, keys, t.k.view, width);
  readRows(v, b, g, keys, t.v.view, valueWidth);
  run.packRows(t.k.at, t.packedK.at, n, p.head_dim, width);
  run.packColumns(t.v.at, t.packedV.at, n, valueWidth, valueWidth);
  run.columnMaxima(t.v.at, t.maxima.at, n, valueWidth);
  if (t.columns > valueWidth) {
    const values = t.v.view;
    for (let x = 0; x < n * valueWidth; x++) values[x] = Math.abs(nth(values, x));
    run.packColumns(t.v.at, t.packedV.at + n * valueWidth * 8, n, valueWidth, valueWidth);
    t.maxima.view.copyWithin(valueWidth, 0, valueWidth);
  }
  const key = norm(run.rowSquares(t.k.at, t.squares.at, n, width), width);
  return { keys, key, value: t.maxima.view.reduce((top, x) => Math.max(top, x), 0) };
}

/** One tile of keys for one of rows: scores, weights, and the sums brought up to date. */
function absorb(
  { run }: KernelModule,
  { parameters: p, pairs, width }: KernelProblem,
  t: Tiles,
  tile: RowTile,
  { keys: { length: n }, key, value }: KeyTile,
  biased: boolean,
): void {
  const count = tile.rows.length;
  const { columns } = t;
  const q = t.packedQ.at + tile.start * width * 8;
  const out = t.out.at + tile.start * columns * 8;
  run.multiply(q, t.packedK.at, t.s.at, count, n, p.head_dim, PAIR_STRIDE, false);
  run.softmaxTile(
    t.s.at,
    biased ? t.bias.at : 0,
    pairs.dropout ? t.keep.at : 0,
    count,
    eights(n),
    PAIR_STRIDE,
    p.scale,
    p.softcap,
    t.state.at + tile.start * 24,
    out,
    t.size.at + tile.start * columns * 8,
    t.maxima.at,
    columns,
  );
  run.addProduct(t.s.at, false, t.packedV.at, out, count, columns, n, columns);
  tile.tiles++;
  tile.keys += n;
  tile.key = Math.max(tile.key, key);
  tile.value = Math.max(tile.value, value);
}

/** One tile of keys for every tile of rows that sees one of them. */
function absorbKeys(
  kernels: KernelModule,
  problem: KernelProblem,
  t: Tiles,
  [b, g]: readonly [number, number],
  tiles: readonly RowTile[],
  keys: readonly number[],
): void {
  let loaded: KeyTile | null = null;
  eachSeeing(problem, t, b, tiles, keys, (tile, biased) => {
    loaded ??= loadKeys(kernels, problem, t, [b, g], keys);
    absorb(kernels, problem, t, tile, loaded, biased);
  });
}

/** whole = whole·factor + part, and nothing is left of the part. */
function join(whole: Float64Array, part: Float64Array, factors: Float64Array, width: number): void {
  for (let n = 0; n < whole.length; n++) {
    const factor = nth(factors, Math.floor(n / width));
    whole[n] = nth(whole, n) * factor + nth(part, n);
  }
  part.fill(0);
}

/** Adds the sums of a group of tiles to the whole, brought from `maxima` to those of now; spec (20). */
function closeGroup({ run }: KernelModule, t: Tiles, maxima: Float64Array): void {
  const factors = t.factors.view;
  for (let r = 0; r < factors.length; r++) {
    const [before, now] = [nth(maxima, r), nth(t.state.view, r * 3)];
    factors[r] = before === now ? 0 : before - now;
    maxima[r] = now;
  }
  run.expMany(t.factors.at, t.factors.at, factors.length);
  join(t.wholeOut.view, t.out.view, factors, t.columns);
  join(t.wholeSize.view, t.size.view, factors, t.columns);
}

/** The tiles of keys from `first`, a group's beginning, to `end`, a group's end or the last key's. */
export function absorbAll(
  kernels: KernelModule,
  problem: KernelProblem,
  { t, tiles }: OpenBlock,
  at: readonly [number, number],
  [first, end]: readonly [number, number],
): void {
  const maxima = t.factors.view.map((_, r) => nth(t.state.view, r * 3));
  for (let start = first; start < end; start += TILE) {
    const next = Math.min(start + TILE, end);
    const keys = Array.from({ length: next - start }, (_, n) => start + n);
    absorbKeys(kernels, problem, t, at, tiles, keys);
    if (t.groups > 0 && (next === end || next % (GROUP * TILE) === 0)) {
      closeGroup(kernels, t, maxima);
    }
  }
}

/**
 * Certified forward of some rows of the heads that share KV head (b, g), over all keys: each tile of
 * keys is read and packed once for all of them. No bit of a row depends on the other parts.
 */
export function forwardBlock(
  kernels: KernelModule,
  problem: KernelProblem,
  at: readonly [number, number],
  parts: readonly RowPart[],
  results: RowResults,
): void {
  const sized = results.valueSizes !== null;
  const block = openBlock(kernels, problem, at[0], blockOf(parts), sized);
  absorbAll(kernels, problem, block, at, [0, problem.parameters.seq_kv]);
  finishBlock(kernels, problem, at, block, results);
}

/** Certified forward of at most ROW_BLOCK rows of (b, h) over all keys, into results[at…]. */
export function forwardRows(
  kernels: KernelModule,
  problem: KernelProblem,
  [b, h]: readonly [number, number],
  rows: readonly number[],
  results: RowResults,
  at: number,
): void {
  const parts = tilesOf(rows).map((part, n) => ({ h, rows: part, at: at + n * TILE }));
  forwardBlock(kernels, problem, [b, kvHead(problem.parameters, h)], parts, results);
}
