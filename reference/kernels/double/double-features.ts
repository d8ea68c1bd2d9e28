/**
 * Recomputation in double-double with radii: K and V from the features, tile by tile as they are read.
 * spec (24)
 *
 * Radii as in spec/bounds.md §9, lemma Slices.
 * @module
 */
import type { Tensor } from '../../numbers/tensor.ts';
import { featureReader, headWeights, inputOf } from '../float64/features.ts';
import { findKeyErrors } from '../float64/key-sizes.ts';
import type { Matrix } from '../float64/matrix.ts';
import { featureModule } from '../module.ts';
import { type KernelProblem, type KeyErrors, readRows } from '../walk/problem.ts';
import { reusedRoom } from '../walk/room.ts';
import { clean, gatheringReader, type RowReader } from '../walk/source.ts';
import {
  type DoubleMatrix,
  exactProduct,
  exactProductErrors,
  type RightFactor,
  rightFactor,
} from './double-matrix.ts';

/** A case whose K and V may have low words, those recomputed from features. */
export interface DoubleProblem extends KernelProblem {
  readonly low: Pick<KernelProblem, 'k' | 'v'> | null;
  /** K and V in float64, for what needs no more. */
  readonly plain: Pick<KernelProblem, 'k' | 'v'>;
}

export const exactly = ({ rows, columns, value }: Matrix): DoubleMatrix => ({
  rows,
  columns,
  high: value,
  low: null,
  error: null,
});

/** The words of K or V as they are read: rows of Y W, computed anew each time, the low ones with the high. */
function recomputedWords(
  y: Tensor,
  w: Tensor,
  width: number,
): { readonly high: RowReader; readonly low: RowReader } {
  const [, , dim = 0] = y.shape;
  const features = featureReader(y, 0, dim);
  const room = reusedRoom();
  // One head's at a time: they are read head by head.
  let head: RightFactor | null = null;
  let of = -1;
  let known: { readonly at: string; readonly high: Float64Array; readonly low: Float64Array };
  known = { at: '', high: new Float64Array(), low: new Float64Array() };
  const words = (b: number, g: number, indices: ArrayLike<number>): typeof known => {
    const at = [b, g, ...Array.from(indices)].join();
    if (at === known.at) return known;
    if (head === null || of !== g) head = rightFactor(exactly(headWeights(w, g, width, room)));
    of = g;
    const [rows, columns] = [indices.length, dim];
    const value = room('rows', rows * dim);
    readRows(features, b, 0, indices, value, dim);
    const factor = exactly({ rows, columns, value, error: null });
    const { high, low } = exactProduct(featureModule(), factor, head, room);
    clean(high, 0, high.length);
    if (low !== null) clean(low, 0, low.length);
    known = { at, high, low: low ?? new Float64Array(high.length) };
    return known;
  };
  const reader = (word: 'high' | 'low'): RowReader =>
    gatheringReader(width, (b, g, indices, target, step) => {
      const from = words(b, g, indices)[word];
      for (let r = 0; r < indices.length; r++) {
        target.set(from.subarray(r * width, (r + 1) * width), r * step);
      }
    });
  return { high: reader('high'), low: reader('low') };
}

/** The problem with K and V in double-double where they are recomputed. */
export function doubleProblem(problem: KernelProblem): DoubleProblem {
  const { k, v, keyErrors, parameters: p } = problem;
  const plain = { k, v };
  if (keyErrors === null) return { ...problem, low: null, plain };
  const y = inputOf(problem, 'y');
  const ofK = recomputedWords(y, inputOf(problem, 'w_k'), p.head_dim);
  const ofV = recomputedWords(y, inputOf(problem, 'w_v'), p.head_dim_v);
  return { ...problem, k: ofK.high, v: ofV.high, low: { k: ofK.low, v: ofV.low }, plain };
}

/** As findKeyErrors, of K and V in double-double. */
export function findDoubleKeyErrors(problem: KernelProblem, errors: KeyErrors, n: number): void {
  findKeyErrors(problem, errors, n, (kernels, a, b, room) =>
    exactProductErrors(kernels, exactly(a), rightFactor(exactly(b)), room),
  );
}
