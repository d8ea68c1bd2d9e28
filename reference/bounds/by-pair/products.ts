/**
 * Products of what stands for rows with what stands for keys, of one KV head: all that bounds go through
 * channels for. By the kernels, tile by tile.
 *
 * Whatever is non-negative comes out with a relative error of a few hundred roundings, which SLACK covers;
 * what has signs is off as Lemma Dot says, by fewer roundings than there are terms and three. bounds.md §6
 * @module
 */

import {
  type KernelFunctions,
  type KernelModule,
  kernelModule,
  type Tile,
} from '../../kernels/module.ts';
import { eights, fours, PAIR_STRIDE, TILE } from '../../kernels/walk/problem.ts';
import { nth } from '../../numbers/nth.ts';
import { FACTS, IN_ORDER, RESULTS } from './row-kernels.ts';
import type { RowKernels } from './row-magnitudes.ts';

/** Rows that go through the keys together, at most; a multiple of four. */
export const MOST_ROWS = TILE;

/** A matrix [keys, width] that rows are multiplied with. */
export interface KeyMatrix {
  /** Takes other keys. */
  readonly load: (values: Float64Array, at: number) => void;
  /** to[i, j] = Σ_e rows[i, e]·keys[j, e] of `count` rows; what goes by keys has rows of `rowStride`. */
  readonly dots: (rows: Float64Array, count: number, to: Float64Array) => void;
  /** to[i, e] += Σ_j weights[i, j]·keys[j, e] */
  readonly combine: (weights: Float64Array, count: number, to: Float64Array) => void;
}

/** Sums [keys, width] over rows. */
export interface KeySums {
  /** sums[j, e] += Σ_i weights[i, j]·rows[i, e] */
  readonly add: (weights: Float64Array, rows: Float64Array, count: number) => void;
  /** Adds the sums to `to` from `at` on, and begins anew. */
  readonly finish: (to: Float64Array, at: number) => void;
}

/** What room is needed for: the width of each matrix and of each sum, and numbers beside. */
interface Room {
  readonly keys: number;
  readonly matrices: readonly number[];
  readonly sums: readonly number[];
  readonly numbers: number;
}

/**
 * Matrices and sums for a KV head with so many keys, and arrays to keep what they take and give in. All of the
 * kernels' memory is theirs while they are in use.
 */
export interface Products {
  readonly matrices: readonly KeyMatrix[];
  readonly sums: readonly KeySums[];
  /** Zeros, of which there are `numbers`, each array rounded up to eights. */
  readonly take: (length: number) => Float64Array;
  /** The loops over a row's keys; null where they go in words. */
  readonly rows: RowKernels | null;
}

/** Length of a row of so many keys in a matrix: as many as the kernels go through together. */
export const rowStride = (keys: number): number => eights(keys);

interface Views {
  readonly pairs: Tile;
  readonly rows: Tile;
  readonly packed: Tile;
  readonly made: Tile;
}

/** Calls `visit` with the first key of each tile, and how many it has. */
function eachTile(keys: number, visit: (first: number, count: number) => void): void {
  for (let first = 0; first < keys; first += TILE) visit(first, Math.min(TILE, keys - first));
}

/** Copies some columns of `count` rows of a [rows, keys] matrix to a tile of pairs. */
function layPairs(
  run: KernelFunctions,
  pairs: Tile,
  weights: Float64Array,
  stride: number,
  count: number,
  [first, n]: readonly [number, number],
): void {
  const at = weights.byteOffset + first * 8;
  run.copyRows(at, stride, pairs.at, PAIR_STRIDE, count, twos(n));
}

/** And back. */
function takePairs(
  run: KernelFunctions,
  pairs: Tile,
  to: Float64Array,
  stride: number,
  count: number,
  [first, n]: readonly [number, number],
): void {
  const at = to.byteOffset + first * 8;
  run.copyRows(pairs.at, PAIR_STRIDE, at, stride, count, twos(n));
}

const twos = (n: number): number => n + (n % 2);

function keyMatrix(
  { run }: KernelModule,
  { pairs, rows, packed, made }: Views,
  [byRow, byColumn]: readonly [Tile, Tile],
  keys: number,
  width: number,
): KeyMatrix {
  const [columns, stride] = [fours(width), rowStride(keys)];
  return {
    load: (values, at) => {
      eachTile(keys, (first, n) => {
        const from = at + first * width;
        made.view.set(values.subarray(from, from + n * width));
        run.packRows(made.at, byRow.at + first * width * 8, n, width, width);
        run.packColumns(made.at, byColumn.at + first * columns * 8, n, width, width);
      });
    },
    dots: (values, count, to) => {
      rows.view.set(values.subarray(0, count * width));
      run.packRows(rows.at, packed.at, count, width, width);
      eachTile(keys, (first, n) => {
        const b = byRow.at + first * width * 8;
        run.multiply(packed.at, b, pairs.at, count, n, width, PAIR_STRIDE, false);
        takePairs(run, pairs, to, stride, count, [first, n]);
      });
    },
    combine: (weights, count, to) => {
      made.view.fill(0, 0, fours(count) * columns);
      eachTile(keys, (first, n) => {
        layPairs(run, pairs, weights, stride, count, [first, n]);
        const b = byColumn.at + first * columns * 8;
        run.addProduct(pairs.at, false, b, made.at, count, columns, n, columns);
      });
      for (let r = 0; r < count; r++) {
        for (let e = 0; e < width; e++) {
          to[r * width + e] = nth(to, r * width + e) + nth(made.view, r * columns + e);
        }
      }
    },
  };
}

function keySums(
  { run }: KernelModule,
  { pairs, rows, packed }: Views,
  sums: Tile,
  keys: number,
  width: number,
): KeySums {
  const columns = fours(width);
  return {
    add: (weights, values, count) => {
      rows.view.set(values.subarray(0, count * width));
      run.packColumns(rows.at, packed.at, count, width, width);
      eachTile(keys, (first, n) => {
        layPairs(run, pairs, weights, rowStride(keys), count, [first, n]);
        const c = sums.at + first * columns * 8;
        run.addProduct(pairs.at, true, packed.at, c, n, columns, count, columns);
      });
    },
    finish: (to, at) => {
      for (let j = 0; j < keys; j++) {
        for (let e = 0; e < width; e++) {
          const into = at + j * width + e;
          to[into] = nth(to, into) + nth(sums.view, j * columns + e);
        }
      }
      sums.view.fill(0);
    },
  };
}

/** Arrays cut from a larger one, one after another; each has room for a multiple of eight. */
function cutting(whole: Float64Array): Products['take'] {
  let used = 0;
  return (length) => {
    const start = used;
    used += eights(length);
    if (used > whole.length) throw new Error(`room for ${whole.length} numbers, not for ${used}`);
    return whole.subarray(start, start + length);
  };
}

/** Lays them out. */
export function kernelProducts({ keys, matrices, sums, numbers }: Room): Products {
  const kernels = kernelModule();
  const widest = fours(Math.max(1, ...matrices, ...sums));
  const most = Math.ceil(keys / TILE) * TILE;
  const sizes: Record<string, number> = {
    pairs: TILE * PAIR_STRIDE,
    rows: TILE * widest,
    packed: TILE * widest,
    made: TILE * widest,
    ...{ facts: FACTS, results: RESULTS, numbers: numbers + IN_ORDER * rowStride(keys) },
  };
  for (const [n, width] of matrices.entries()) {
    sizes[`rows ${n}`] = most * width;
    sizes[`columns ${n}`] = most * fours(width);
  }
  for (const [n, width] of sums.entries()) sizes[`sum ${n}`] = most * fours(width);
  const tiles = kernels.layOut(sizes);
  const tile = (name: string): Tile => {
    const found = tiles[name];
    if (found === undefined) throw new Error(`no tile "${name}"`);
    return found;
  };
  const views = {
    ...{ pairs: tile('pairs'), rows: tile('rows') },
    ...{ packed: tile('packed'), made: tile('made') },
  };
  const take = cutting(tile('numbers').view);
  const inOrder = Array.from({ length: IN_ORDER }, () => take(rowStride(keys)));
  const { run } = kernels;
  return {
    take,
    rows: { run, facts: tile('facts'), results: tile('results'), inOrder },
    matrices: matrices.map((width, n) =>
      keyMatrix(kernels, views, [tile(`rows ${n}`), tile(`columns ${n}`)], keys, width),
    ),
    sums: sums.map((width, n) => keySums(kernels, views, tile(`sum ${n}`), keys, width)),
  };
}

/** The same by loops over channels, as it reads: what the kernels are held to. */
export function plainProducts({ keys, matrices, sums }: Room): Products {
  const stride = rowStride(keys);
  return {
    take: (length) => new Float64Array(length),
    rows: null,
    matrices: matrices.map((width): KeyMatrix => {
      let held: Float64Array = new Float64Array(0);
      return {
        load: (values, at) => {
          held = values.slice(at, at + keys * width);
        },
        dots: (rows, count, to) => {
          for (let n = 0; n < count * keys; n++) {
            const [i, j] = [Math.floor(n / keys), n % keys];
            let sum = 0;
            for (let e = 0; e < width; e++)
              sum += nth(rows, i * width + e) * nth(held, j * width + e);
            to[i * stride + j] = sum;
          }
        },
        combine: (weights, count, to) => {
          for (let n = 0; n < count * width; n++) {
            const [i, e] = [Math.floor(n / width), n % width];
            let sum = 0;
            for (let j = 0; j < keys; j++)
              sum += nth(weights, i * stride + j) * nth(held, j * width + e);
            to[n] = nth(to, n) + sum;
          }
        },
      };
    }),
    sums: sums.map((width): KeySums => {
      const sum = new Float64Array(keys * width);
      return {
        add: (weights, rows, count) => {
          for (let n = 0; n < keys * width; n++) {
            const [j, e] = [Math.floor(n / width), n % width];
            let terms = 0;
            for (let i = 0; i < count; i++) {
              terms += nth(weights, i * stride + j) * nth(rows, i * width + e);
            }
            sum[n] = nth(sum, n) + terms;
          }
        },
        finish: (to, at) => {
          for (let n = 0; n < sum.length; n++) to[at + n] = nth(to, at + n) + nth(sum, n);
          sum.fill(0);
        },
      };
    }),
  };
}
