/**
 * Blocks of query rows in the kernels' memory: what is laid out for them, and where their results go.
 * @module
 */
import { nth } from '../../numbers/nth.ts';
import type { KernelModule, Tile } from '../module.ts';
import {
  fours,
  GROUP,
  type KernelProblem,
  PAIR_STRIDE,
  readRows,
  type SeeingRows,
  TILE,
} from '../walk/problem.ts';

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
    t.state.view[r * 3] = sink === null ? Number.NEGATIVE_INFINITY : nth(sink, h);
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
