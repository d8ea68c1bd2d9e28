/**
 * The kernels' memory for a range of keys on its way backward.
 * @module
 */
import type { KernelModule, Tile } from '../module.ts';
import type { KernelProblem } from '../walk/problem.ts';
import { PAIR_STRIDE, TILE } from '../walk/problem.ts';

/** Keys of a range: their rows, gradients and bounds stay in the kernels' memory meanwhile. */
export const RANGE = 1024;

export type Tiles = Record<
  | 'k'
  | 'v'
  | 'dk'
  | 'dv'
  | 'dkError'
  | 'dvError'
  | 'q'
  | 'do'
  | 'qRows'
  | 'qColumns'
  | 'doRows'
  | 'doColumns'
  | 'kRows'
  | 'kColumns'
  | 'vRows'
  | 's'
  | 'dp'
  | 'bias'
  | 'keep'
  | 'error'
  | 'dq'
  | 'dqError'
  | 'facts'
  | 'byRow'
  | 'byColumn'
  | 'slope'
  | 'squares'
  | 'qMaxima'
  | 'doMaxima'
  | 'kMaxima',
  Tile
>;

/** Room for ranges of at most so many keys, one after another. */
export function rangeTiles(kernels: KernelModule, problem: KernelProblem, keys: number): Tiles {
  const { width, valueWidth } = problem;
  const range = Math.ceil(keys / TILE) * TILE;
  const [rowTile, valueTile] = [TILE * width, TILE * valueWidth];
  const pairTile = TILE * PAIR_STRIDE;
  return kernels.layOut({
    k: rowTile,
    v: valueTile,
    dk: range * width,
    dv: range * valueWidth,
    dkError: range * width,
    dvError: range * valueWidth,
    q: rowTile,
    do: valueTile,
    qRows: rowTile,
    qColumns: rowTile,
    doRows: valueTile,
    doColumns: valueTile,
    kRows: range * width,
    kColumns: range * width,
    vRows: range * valueWidth,
    s: pairTile,
    dp: pairTile,
    bias: pairTile,
    keep: pairTile,
    error: pairTile,
    dq: rowTile,
    dqError: rowTile,
    facts: TILE * 8,
    byRow: TILE * 2,
    byColumn: TILE * 2,
    slope: TILE,
    squares: TILE,
    qMaxima: width,
    doMaxima: valueWidth,
    kMaxima: (range / TILE) * width,
  });
}
