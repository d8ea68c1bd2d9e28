/**
 * The forward pass of many blocks of rows over recomputed keys: each part of the keys is recomputed once
 * for all blocks.
 *
 * Between two parts the sums of a block's rows wait in their results. A part is a group of tiles, so that
 * no bit differs from a block's that goes through all keys at once.
 * @module
 */

import { entry } from '../../numbers/nth.ts';
import type { KernelModule } from '../module.ts';
import { GROUP, type KernelProblem, readRows, TILE } from '../walk/problem.ts';
import { gatheringReader, type RowReader } from '../walk/source.ts';
import { absorbAll, forwardBlock } from './forward.ts';
import { finishBlock } from './forward-finish.ts';
import { blockOf, type OpenBlock, openBlock, type RowPart, type RowResults } from './row-blocks.ts';

/** Keys of a part. */
const PART = GROUP * TILE;

/** Some rows of a reader, held in memory. */
interface Held {
  readonly reader: RowReader;
  readonly load: (b: number, g: number, keys: readonly number[]) => void;
}

function held(source: RowReader, most: number): Held {
  const { width } = source;
  const rows = new Float64Array(most * width);
  let first = 0;
  const reader = gatheringReader(width, (_b, _g, indices, target, step) => {
    for (let n = 0; n < indices.length; n++) {
      const from = (entry(indices, n) - first) * width;
      target.set(rows.subarray(from, from + width), n * step);
    }
  });
  return {
    reader,
    load: (b, g, keys) => {
      first = entry(keys, 0);
      for (let n = 0; n < keys.length; n += TILE) {
        const tile = keys.slice(n, n + TILE);
        readRows(source, b, g, tile, rows.subarray(n * width), width);
      }
    },
  };
}

/** Writes the sums of a block's rows to their places in the results, or reads them back. */
function exchange({ t, tiles }: OpenBlock, results: RowResults, to: 'results' | 'block'): void {
  const { out, outRadius, valueSizes, m, inverse, probability } = results;
  const d = out.length / m.length;
  const [columns, state] = [t.columns, t.state.view];
  const [sums, sizes] = [t.wholeOut.view, t.wholeSize.view];
  const move = (inBlock: Float64Array, from: number, kept: Float64Array, at: number, n: number) => {
    if (to === 'results') kept.set(inBlock.subarray(from, from + n), at);
    else inBlock.set(kept.subarray(at, at + n), from);
  };
  for (const { start, rows, at: first } of tiles) {
    rows.forEach((_, r) => {
      const [row, at] = [start + r, first + r];
      move(sums, row * columns, out, at * d, d);
      move(sizes, row * columns, outRadius, at * d, d);
      if (valueSizes !== null) {
        // What may be lost of a sum of |V| is what may be lost of that of V.
        const second = row * columns + columns / 2;
        move(sums, second, valueSizes, at * d, d);
        move(sizes, second, outRadius, at * d, d);
      }
      for (const [n, kept] of [m, inverse, probability].entries()) {
        move(state, row * 3 + n, kept, at, 1);
      }
    });
  }
}

/** As `forwardBlock` for each of the blocks, whose problem recomputes its keys. */
export function forwardByParts(
  kernels: KernelModule,
  problem: KernelProblem,
  at: readonly [number, number],
  blocks: readonly (readonly RowPart[])[],
  results: RowResults,
): void {
  const { seq_kv } = problem.parameters;
  const [only, ...more] = blocks;
  if (only !== undefined && more.length === 0) {
    forwardBlock(kernels, problem, at, only, results);
    return;
  }
  const most = Math.min(PART, seq_kv);
  const [k, v] = [held(problem.k, most), held(problem.v, most)];
  const ofPart = { ...problem, k: k.reader, v: v.reader };
  const laidOut = blocks.map(blockOf);
  for (let first = 0; first < seq_kv; first += PART) {
    const end = Math.min(first + PART, seq_kv);
    const keys = Array.from({ length: end - first }, (_, n) => first + n);
    k.load(...at, keys);
    v.load(...at, keys);
    for (const block of laidOut) {
      const open = openBlock(kernels, ofPart, at[0], block, results.valueSizes !== null);
      if (first > 0) exchange(open, results, 'block');
      absorbAll(kernels, ofPart, open, at, [first, end]);
      if (end < seq_kv) exchange(open, results, 'results');
      else finishBlock(kernels, ofPart, at, open, results);
    }
  }
}
