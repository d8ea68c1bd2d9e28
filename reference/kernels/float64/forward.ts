/**
 * The certified forward pass of a block of query rows: fused, tile by tile of keys, in float64.
 *
 * spec (6)-(9), in the order of the merge (20): each tile of keys is a partial result, brought to the
 * running maximum and added. Radii as in spec/bounds.md, "The kernels' radii".
 * @module
 */
import { kvHead } from '../../definition/scores.ts';
import type { KernelModule, Tile } from '../module.ts';
import {
  eachSeeing,
  eights,
  fours,
  GROUP,
  type KernelProblem,
  PAIR_STRIDE,
  readRows,
  type SeeingRows,
  TILE,
  tilesOf,
} from '../walk/problem.ts';
import { finishBlock } from './forward-finish.ts';
import { norm } from './radius.ts';

/** Query rows that share the reading and packing of each tile of keys. */
export const ROW_BLOCK = 4 * TILE;

/** What the backward pass needs of each row, [rows]; and the outputs. */
export interface RowResults {
  /** [rows, dv] */
  readonly out: Float64Array;
  readonly outRadius: Float64Array;
  readonly lse: Float64Array;
  readonly lseRadius: Float64Array;
  /** Reference m of the row's weights, −∞ for an empty row and no other, NaN where it is beyond float64; 1/l. */
  readonly m: Float64Array;
  readonly inverse: Float64Array;
  /** Log-domain error of exp(s − m)/l as recomputed from m and 1/l. */
  readonly probability: Float64Array;
  readonly tanhError: Float64Array;
  /** Σ_j κP_ij|V_jc| at most, [rows, dv]; null = not wanted. */
  readonly valueSizes: Float64Array | null;
}

/** Is this the m of a row that sees nothing? */
export const isEmptyRow = (m: number): boolean => m === Number.NEGATIVE_INFINITY;

export function emptyResults(
  rows: number,
  valueDim: number,
  allocate: (length: number) => Float64Array,
  sized = false,
): RowResults {
  return {
    out: allocate(rows * valueDim),
    outRadius: allocate(rows * valueDim),
    lse: allocate(rows),
    lseRadius: allocate(rows),
    m: allocate(rows),
    inverse: allocate(rows),
    probability: allocate(rows),
    tanhError: allocate(rows),
    valueSizes: sized ? allocate(rows * valueDim) : null,
  };
}

type Views = Record<
  | 'q'
  | 'k'
  | 'v'
  | 'packedQ'
  | 'packedK'
  | 'packedV'
  | 's'
  | 'out'
  | 'size'
  | 'state'
  | 'maxima'
  | 'valueErrors'
  | 'squares'
  | 'bias'
  | 'keep'
  | 'wholeOut'
  | 'wholeSize'
  | 'factors',
  Tile
>;

export interface Tiles extends Views {
  /** Columns summed for each row: those of V and, where they are wanted, those of |V| beside them. */
  readonly columns: number;
  /** Groups of tiles of keys; 0 where all are one, and need no sums of their own. */
  readonly groups: number;
}

function layOut(
  kernels: KernelModule,
  { width, valueWidth, parameters: p }: KernelProblem,
  rows: number,
  sized: boolean,
): Tiles {
  const pairs = TILE * PAIR_STRIDE;
  const groups = p.seq_kv > GROUP * TILE ? Math.ceil(p.seq_kv / (GROUP * TILE)) : 0;
  const columns = sized ? 2 * valueWidth : valueWidth;
  const views = kernels.layOut({
    q: TILE * width,
    k: TILE * width,
    v: TILE * valueWidth,
    packedQ: rows * width,
    packedK: TILE * width,
    packedV: TILE * columns,
    s: pairs,
    out: rows * columns,
    size: rows * columns,
    state: rows * 3,
    maxima: columns,
    valueErrors: columns,
    squares: TILE,
    bias: pairs,
    keep: pairs,
    wholeOut: groups > 0 ? rows * columns : 0,
    wholeSize: groups > 0 ? rows * columns : 0,
    factors: groups > 0 ? rows : 0,
  });
  return { ...views, columns, groups };
}

/** At most TILE query rows of head `h`, and where their results go. */
export interface RowPart {
  readonly h: number;
  readonly rows: readonly number[];
  readonly at: number;
}

/** A part of a block, and what it has seen: bounds over all its tiles of keys not wholly masked. */
export interface RowTile extends RowPart, SeeingRows {
  /** Place of the first row in the block, a multiple of four. */
  readonly start: number;
  tiles: number;
  keys: number;
  /** Largest ‖K_j‖ and |V_jc|. */
  key: number;
  value: number;
}

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
    for (let x = 0; x < n * valueWidth; x++) values[x] = Math.abs(values[x] ?? 0);
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
    const factor = factors[Math.floor(n / width)] ?? 0;
    whole[n] = (whole[n] ?? 0) * factor + (part[n] ?? 0);
  }
  part.fill(0);
}

/** Adds the sums of a group of tiles to the whole, brought from `maxima` to those of now; spec (20). */
function closeGroup({ run }: KernelModule, t: Tiles, maxima: Float64Array): void {
  const factors = t.factors.view;
  for (let r = 0; r < factors.length; r++) {
    const [before, now] = [maxima[r] ?? 0, t.state.view[r * 3] ?? 0];
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
  const maxima = t.factors.view.map((_, r) => t.state.view[r * 3] ?? 0);
  for (let start = first; start < end; start += TILE) {
    const next = Math.min(start + TILE, end);
    const keys = Array.from({ length: next - start }, (_, n) => start + n);
    absorbKeys(kernels, problem, t, at, tiles, keys);
    if (t.groups > 0 && (next === end || next % (GROUP * TILE) === 0)) {
      closeGroup(kernels, t, maxima);
    }
  }
}

/** Rows that go through the keys together. */
export interface Block {
  readonly tiles: readonly RowTile[];
  /** Places for rows. */
  readonly count: number;
}

/** The parts laid out in a block, each from a multiple of four on. */
export function blockOf(parts: readonly RowPart[]): Block {
  let count = 0;
  const tiles = parts.map((part): RowTile => {
    const start = count;
    count += fours(part.rows.length);
    const seeing = new Uint8Array(part.rows.length);
    return { ...part, start, seeing, tiles: 0, keys: 0, key: 0, bias: 0, value: 0 };
  });
  return { tiles, count };
}

/** Packs the queries of a tile, and sets out its rows' states; the squares of their norms. */
function loadQueries(
  { run }: KernelModule,
  { parameters: p, q, width, sink }: KernelProblem,
  t: Tiles,
  b: number,
  { h, rows, start }: RowTile,
): Float64Array {
  readRows(q, b, h, rows, t.q.view, width);
  run.packRows(t.q.at, t.packedQ.at + start * width * 8, rows.length, p.head_dim, width);
  run.rowSquares(t.q.at, t.squares.at, rows.length, width);
  for (let r = start; r < start + rows.length; r++) {
    t.state.view[r * 3] = sink === null ? Number.NEGATIVE_INFINITY : (sink[h] ?? 0);
    t.state.view[r * 3 + 1] = sink === null ? 0 : 1;
  }
  return t.squares.view.slice(0, rows.length);
}

/** A block in the kernels' memory. */
export interface OpenBlock extends Block {
  readonly t: Tiles;
  /** Squares of the queries' norms, tile by tile. */
  readonly queries: readonly Float64Array[];
}

/** Lays out a block and loads its queries; its rows have seen nothing but their sink. */
export function openBlock(
  kernels: KernelModule,
  problem: KernelProblem,
  b: number,
  block: Block,
  sized: boolean,
): OpenBlock {
  const t = layOut(kernels, problem, block.count, sized);
  const queries = block.tiles.map((tile) => loadQueries(kernels, problem, t, b, tile));
  return { ...block, t, queries };
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
