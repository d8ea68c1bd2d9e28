/**
 * Tensors: `ndarray` views over flat storage, row-major when made here.
 *
 * A tensor never owns its storage: `block` and ndarray's own `hi`, `lo`, `pick`, `transpose` give
 * views of the same numbers, so a partition block is a view and never a copy.
 * Numbers of every input format (f64 f32 f16 bf16, integers, booleans) are held as the exact
 * float64 they denote.
 * @module
 */

import ndarray from 'ndarray';
import type { FormatName } from './format.ts';
import { entry } from './nth.ts';

/** Flat storage of elements of type `T`. */
export interface Storage<T> {
  readonly length: number;
  [index: number]: T;
}

/** The part of an `ndarray` view that this project relies on. */
export interface Tensor<T = number> {
  readonly data: Storage<T>;
  readonly shape: number[];
  readonly stride: number[];
  readonly offset: number;
  get(...index: number[]): T;
  set(...indexThenValue: [...number[], T]): T;
  hi(...shape: (number | null)[]): Tensor<T>;
  lo(...start: (number | null)[]): Tensor<T>;
}

/** Number of elements of a tensor of this shape; 1 for `[]`. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** A row-major view of `data`; `data.length` must be the element count of `shape`. */
export function tensorOf<T>(data: Storage<T>, shape: readonly number[]): Tensor<T> {
  if (data.length !== elementCount(shape)) {
    throw new RangeError(
      `"data" expected ${elementCount(shape)} elements for [${shape.join(', ')}], got ${data.length}`,
    );
  }
  return ndarray(data as unknown as number[], [...shape]) as unknown as Tensor<T>;
}

/** A new float64 tensor of zeros. */
export function zeros(shape: readonly number[]): Tensor {
  return tensorOf<number>(new Float64Array(elementCount(shape)), shape);
}

/** A new tensor of any element type, every element `value`. */
export function filled<T>(shape: readonly number[], value: T): Tensor<T> {
  return tensorOf<T>(new Array<T>(elementCount(shape)).fill(value), shape);
}

/** Storage whose elements are computed when read, or kept only where they were set. */
interface Computed<T> {
  readonly length: number;
  readonly get: (n: number) => T;
  readonly set: (n: number, value: T) => T;
}

const computed = <T>(storage: Computed<T>, shape: readonly number[]): Tensor<T> =>
  ndarray(storage as unknown as number[], [...shape]) as unknown as Tensor<T>;

/** `f` of every element, computed at each reading and stored nowhere; not to be set. */
export function lazyTensor<S, T>(tensor: Tensor<S>, f: (value: S) => T): Tensor<T> {
  const { data, shape, offset } = tensor;
  const length = elementCount(shape);
  if (offset !== 0 || data.length !== length || !isRowMajor(tensor)) return mapTensor(tensor, f);
  const get = isRanged(data)
    ? (n: number): T => f(data.get(n) as S)
    : (n: number): T => f(data[n] as S);
  return computed({ length, get, set: (n) => get(n) }, shape);
}

/** Storage that hands over a run of elements at once, from a file perhaps; not to be set. */
export interface RangedStorage {
  readonly length: number;
  /** Every element is a number of this format; null = nothing is known. */
  readonly format: FormatName | null;
  readonly get: (n: number) => number;
  /** Fills `target` with the elements from `start` on. */
  readonly read: (start: number, target: Float64Array) => void;
}

export const isRanged = (data: unknown): data is RangedStorage =>
  typeof data === 'object' && data !== null && 'read' in data;

/** A row-major view of storage that is read in runs. */
export function rangedTensor(storage: RangedStorage, shape: readonly number[]): Tensor {
  const set = (): never => {
    throw new RangeError('a tensor that is read in ranges expected not to be set');
  };
  return computed<number>(Object.assign(storage, { set }), shape);
}

const RUN = 2 ** 16;

/** Every element in row-major order, a run at a time; the array passed is reused. */
export function forEachRun(tensor: Tensor, visit: (start: number, run: Float64Array) => void) {
  const { data, shape, offset } = tensor;
  const length = elementCount(shape);
  if (isRanged(data) && isRowMajor(tensor)) {
    const buffer = new Float64Array(Math.min(RUN, length));
    for (let start = 0; start < length; start += RUN) {
      const run = buffer.subarray(0, Math.min(RUN, length - start));
      data.read(offset + start, run);
      visit(start, run);
    }
  } else if (data instanceof Float64Array && isRowMajor(tensor)) {
    visit(0, data.subarray(offset, offset + length));
  } else visit(0, Float64Array.from(toFlat(tensor)));
}

function isRowMajor({ shape, stride }: Tensor<unknown>): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (stride[axis] !== step) return false;
    step *= shape[axis] ?? 1;
  }
  return true;
}

/** A tensor of which only the elements that were set take room; the others are `value`. */
export function sparseTensor<T>(shape: readonly number[], value: T): Tensor<T> {
  const kept = new Map<number, T>();
  const set = (n: number, given: T): T => {
    kept.set(n, given);
    return given;
  };
  return computed({ length: elementCount(shape), get: (n) => kept.get(n) ?? value, set }, shape);
}

/** A view of `length` entries from `start` along `axis`. Never a copy. */
export function block<T>(
  tensor: Tensor<T>,
  axis: number,
  start: number,
  length: number,
): Tensor<T> {
  const low = tensor.shape.map((_, i) => (i === axis ? start : 0));
  const high = tensor.shape.map((extent, i) => (i === axis ? length : extent));
  return tensor.lo(...low).hi(...high);
}

/** The same numbers from `start` on (in the storage) along other axes. Never a copy. */
export function viewOf<T>(
  { data, offset }: Tensor<T>,
  shape: readonly number[],
  stride: readonly number[],
  start = 0,
): Tensor<T> {
  const view = ndarray(data as unknown as number[], [...shape], [...stride], offset + start);
  return view as unknown as Tensor<T>;
}

/** The same elements in row-major order under another shape. */
export function reshaped<T>(tensor: Tensor<T>, shape: readonly number[]): Tensor<T> {
  const { data, offset } = tensor;
  const whole = offset === 0 && data.length === elementCount(shape) && isRowMajor(tensor);
  return tensorOf<T>(whole ? data : toFlat(tensor), shape);
}

/** Visit every index of `shape` in row-major order. The array passed is reused. */
export function forEachIndex(shape: readonly number[], visit: (index: number[]) => void): void {
  if (elementCount(shape) === 0) return;
  const index = shape.map(() => 0);
  for (;;) {
    visit(index);
    let axis = shape.length - 1;
    for (; axis >= 0; axis--) {
      const next = entry(index, axis) + 1;
      index[axis] = next < entry(shape, axis) ? next : 0;
      if (next < entry(shape, axis)) break;
    }
    if (axis < 0) return;
  }
}

/** The elements in row-major order, whatever the strides. */
export function toFlat<T>(tensor: Tensor<T>): T[] {
  const flat: T[] = [];
  const { data, offset } = tensor;
  if ((Array.isArray(data) || ArrayBuffer.isView(data)) && isRowMajor(tensor)) {
    const end = offset + elementCount(tensor.shape);
    for (let n = offset; n < end; n++) flat.push(data[n] as T);
    return flat;
  }
  forEachIndex(tensor.shape, (index) => flat.push(tensor.get(...index)));
  return flat;
}

/** Numbers in row-major order: the storage itself where it is float64 in that order, else a copy. */
export function flatNumbers(tensor: Tensor): Float64Array {
  const { data, offset, shape } = tensor;
  const length = elementCount(shape);
  if (data instanceof Float64Array && isRowMajor(tensor)) {
    return data.subarray(offset, offset + length);
  }
  const flat = new Float64Array(length);
  forEachRun(tensor, (start, run) => flat.set(run, start));
  return flat;
}

/** Flat row-major position of an index; and back. */
export function flatOf(shape: readonly number[], index: readonly number[]): number {
  return shape.reduce((flat, extent, axis) => flat * extent + entry(index, axis), 0);
}

export function indexOf(shape: readonly number[], flat: number): number[] {
  let rest = flat;
  return shape
    .map((_, n) => shape[shape.length - 1 - n] ?? 1)
    .map((extent) => {
      const at = rest % extent;
      rest = (rest - at) / extent;
      return at;
    })
    .reverse();
}

/** Where a tensor that broadcasts to a larger shape is read at an index of that shape. */
export function broadcastIndex(shape: readonly number[], index: readonly number[]): number[] {
  const skip = index.length - shape.length;
  return shape.map((extent, axis) => (extent === 1 ? 0 : entry(index, axis + skip)));
}

/** Strides over [B, Hq, Sq, Skv] of a tensor that broadcasts to it: 0 along shared axes. */
export function broadcastStrides({
  shape,
  stride,
}: Pick<Tensor<unknown>, 'shape' | 'stride'>): [number, number, number, number] {
  const skip = 4 - shape.length;
  const step = (axis: number): number =>
    (shape[axis - skip] ?? 1) === 1 ? 0 : entry(stride, axis - skip);
  return [step(0), step(1), step(2), step(3)];
}

/** A new tensor with `f` of every element, row-major. */
export function mapTensor<S, T>(tensor: Tensor<S>, f: (value: S) => T): Tensor<T> {
  return tensorOf<T>(toFlat(tensor).map(f), tensor.shape);
}

/** Read `tensor` at `index` of a larger shape it broadcasts to (extent 1, or axis missing in front). */
export function broadcastGet<T>(tensor: Tensor<T>, index: readonly number[]): T {
  const { shape } = tensor;
  const skip = index.length - shape.length;
  const at = (axis: number): number => (shape[axis] === 1 ? 0 : entry(index, axis + skip));
  switch (shape.length) {
    case 1:
      return tensor.get(at(0));
    case 2:
      return tensor.get(at(0), at(1));
    case 3:
      return tensor.get(at(0), at(1), at(2));
    case 4:
      return tensor.get(at(0), at(1), at(2), at(3));
    default:
      return tensor.get(...broadcastIndex(shape, index));
  }
}
