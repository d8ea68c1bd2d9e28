/**
 * Recomputation with errors: K and V from the features, tile by tile as they are read. spec (24)
 * @module
 */
import type { AttentionCase, CaseParameters, InputName } from '../case.ts';
import { type Tensor, viewOf } from '../tensor.ts';
import { DEPTH, type Matrix, plainProduct, productErrors } from './matrix.ts';
import { featureModule } from './module.ts';
import { type KernelProblem, type KeyErrors, readRows } from './problem.ts';
import { norm } from './radius.ts';
import { type Room, reusedRoom } from './room.ts';
import { clean, type Gather, gatheringReader, type RowReader, rowReader } from './source.ts';

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
  return weights(w, [0, w.shape[0] ?? 0], [g * width, width], room);
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

export function newKeyErrors(
  { parameters: p }: Question,
  allocate: (length: number) => Float64Array,
): KeyErrors {
  const heads = p.batch * p.kv_heads;
  return {
    keyNorm: allocate(heads),
    valueNorm: allocate(heads),
    key: allocate(heads * p.head_dim),
    value: allocate(heads * p.head_dim_v),
  };
}

/** Halves of a task that finds the errors of K and of V of every head. */
export const keyErrorUnits = ({ batch, kv_heads }: CaseParameters): number => 2 * batch * kv_heads;

/**
 * Unit `n` of such a task: bounds of the errors of K or V as recomputed, over all keys of a head. They are
 * those of `errorsOf` Y W.
 */
export function findKeyErrors(
  question: Question & Pick<KernelProblem, 'room'>,
  errors: KeyErrors,
  n: number,
  errorsOf: typeof productErrors = productErrors,
): void {
  const [head, name] = [Math.floor(n / 2), n % 2 === 0 ? ('w_k' as const) : ('w_v' as const)];
  const { kv_heads, seq_kv, dim_y = 0, head_dim, head_dim_v } = question.parameters;
  const width = name === 'w_k' ? head_dim : head_dim_v;
  const [byComponent, norms] =
    name === 'w_k' ? [errors.key, errors.keyNorm] : [errors.value, errors.valueNorm];
  const { room } = question;
  const w = headWeights(inputOf(question, name), head % kv_heads, width, room);
  const features = featureReader(inputOf(question, 'y'), 0, dim_y);
  for (let first = 0; first < seq_kv; first += DEPTH) {
    const rows = Math.min(DEPTH, seq_kv - first);
    const keys = Array.from({ length: rows }, (_, r) => first + r);
    const value = room('rows', rows * dim_y);
    readRows(features, Math.floor(head / kv_heads), 0, keys, value, dim_y);
    const y: Matrix = { rows, columns: dim_y, value, error: null };
    const found = errorsOf(featureModule(), y, w, room);
    for (let from = 0; from < found.length; from += width) {
      let squares = 0;
      for (let c = 0; c < width; c++) {
        const x = found[from + c] ?? 0;
        squares += x * x;
        byComponent[head * width + c] = Math.max(byComponent[head * width + c] ?? 0, x);
      }
      norms[head] = Math.max(norms[head] ?? 0, norm(squares, width));
    }
  }
}
