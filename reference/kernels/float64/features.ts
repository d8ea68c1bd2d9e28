/**
 * Recomputation: K and V from the features, tile by tile as they are read. spec (24)
 * @module
 */

import type { AttentionCase, InputName } from '../../case/case.ts';
import { entry } from '../../numbers/nth.ts';
import { type Tensor, viewOf } from '../../numbers/tensor.ts';
import { featureModule } from '../module.ts';
import { type KernelProblem, readRows } from '../walk/problem.ts';
import { type Room, reusedRoom } from '../walk/room.ts';
import { clean, type Gather, gatheringReader, type RowReader, rowReader } from '../walk/source.ts';
import { type Matrix, plainProduct } from './matrix.ts';

/** What is asked of a case here. */
export type Question = Pick<AttentionCase, 'parameters' | 'inputs'>;

export function inputOf({ inputs }: Pick<AttentionCase, 'inputs'>, name: InputName): Tensor {
  const tensor = inputs[name];
  if (tensor === undefined) throw new RangeError(`"${name}" expected a tensor, got none`);
  return tensor;
}

/** `count` columns of Y [B, Skv, dim_y] from `first` on, by key. */
export function featureReader(y: Tensor, first: number, count: number): RowReader {
  const [batch = 0, n = 0] = y.shape;
  const [s0 = 0, s1 = 0, s2 = 0] = y.stride;
  return rowReader(viewOf(y, [batch, 1, n, count], [s0, 0, s1, s2], first * s2), 'row');
}

/** A part of W [dim_y, Hkv·width]. */
export function weights(
  w: Tensor,
  [row, rows]: readonly [number, number],
  [column, columns]: readonly [number, number],
  room: Room,
): Matrix {
  const [s0 = 0, s1 = 0] = w.stride;
  const view = viewOf(w, [1, 1, rows, columns], [0, 0, s0, s1], row * s0 + column * s1);
  const value = room('weights', rows * columns);
  const all = Array.from({ length: rows }, (_, e) => e);
  readRows(rowReader(view, 'row'), 0, 0, all, value, columns);
  return { rows, columns, value, error: null };
}

/** The weights of one head: its columns of W. */
export function headWeights(w: Tensor, g: number, width: number, room: Room): Matrix {
  return weights(w, [0, entry(w.shape, 0)], [g * width, width], room);
}

/** K or V of a case as they are read: rows of Y W, computed anew each time. */
function recomputedReader(y: Tensor, w: Tensor, width: number): RowReader {
  const [, , dim = 0] = y.shape;
  const features = featureReader(y, 0, dim);
  const room = reusedRoom();
  // One head's at a time: they are read head by head.
  let head: Matrix | null = null;
  let of = -1;
  const gather: Gather = (b, g, indices, target, step) => {
    const count = indices.length;
    if (head === null || of !== g) head = headWeights(w, g, width, room);
    of = g;
    const rows = room('rows', count * dim);
    readRows(features, b, 0, indices, rows, dim);
    const value = plainProduct(featureModule(), rows, head.value, [count, width, dim], room);
    clean(value, 0, value.length);
    for (let r = 0; r < count; r++) {
      target.set(value.subarray(r * width, (r + 1) * width), r * step);
    }
  };
  return gatheringReader(width, gather);
}

/** K and V of the case by their rows: its own, or recomputed as they are read. */
export function keyReaders(attentionCase: Question): Pick<KernelProblem, 'k' | 'v'> {
  const { head_dim, head_dim_v, dim_y } = attentionCase.parameters;
  const input = (name: InputName) => inputOf(attentionCase, name);
  if (dim_y === undefined) return { k: rowReader(input('k')), v: rowReader(input('v')) };
  const y = input('y');
  return {
    k: recomputedReader(y, input('w_k'), head_dim),
    v: recomputedReader(y, input('w_v'), head_dim_v),
  };
}
