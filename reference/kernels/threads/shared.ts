/**
 * A case over shared memory, so that threads read it without copies of their own.
 * @module
 */
import type { AttentionCase, InputName } from '../../case/case.ts';
import type { FileStorage } from '../../files/stored-file.ts';
import {
  elementCount,
  forEachIndex,
  isRanged,
  type Tensor,
  tensorOf,
} from '../../numbers/tensor.ts';
import type { FlatCase, FlatTensor, OpenRange } from '../float64/task.ts';
import type { KeyErrors } from '../walk/problem.ts';
import { isThreaded } from './threads.ts';

/** Zeros over shared memory. */
export function sharedArray(length: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(length * 8));
}

function rowMajor({ shape, stride, offset, data }: Tensor): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (stride[axis] !== step && (shape[axis] ?? 1) > 1) return false;
    step *= shape[axis] ?? 1;
  }
  return offset === 0 && data.length === step;
}

const inFile = (data: unknown): data is FileStorage => isRanged(data) && 'range' in data;

/** The tensor's own storage where that is shared or a file's already and in order, else a copy. */
function flatten(tensor: Tensor): FlatTensor {
  const { data, shape } = tensor;
  const ordered = rowMajor(tensor);
  if (ordered && inFile(data)) return { data: data.range, shape };
  if (ordered && data instanceof Float64Array) {
    if (data.buffer instanceof SharedArrayBuffer) return { data, shape };
    const copy = sharedArray(data.length);
    copy.set(data);
    return { data: copy, shape };
  }
  const copy = sharedArray(elementCount(shape));
  let n = 0;
  forEachIndex(shape, (index) => {
    copy[n++] = tensor.get(...index);
  });
  return { data: copy, shape };
}

/**
 * The case with inputs that so many threads read as they are: for who runs the kernels on it more than once, as
 * each run would copy them anew.
 */
export function shareInputs(attentionCase: AttentionCase, threads: number): AttentionCase {
  if (!isThreaded(threads)) return attentionCase;
  const inputs = Object.entries(attentionCase.inputs).map(([name, tensor]) => {
    const { data, shape } = flatten(tensor);
    return [name, data instanceof Float64Array ? tensorOf<number>(data, shape) : tensor];
  });
  return { ...attentionCase, inputs: Object.fromEntries(inputs) };
}

/** The case over shared memory and open files. */
export function sharedCase(
  { parameters, inputs }: AttentionCase,
  keyErrors: KeyErrors | null,
): { flat: FlatCase; openRange: OpenRange } {
  const flat: Partial<Record<InputName, FlatTensor>> = {};
  for (const [name, tensor] of Object.entries(inputs)) flat[name as InputName] = flatten(tensor);
  // This thread reads through the storage that it has already.
  const openRange: OpenRange = (range) => {
    const known = Object.values(inputs)
      .map(({ data }): unknown => data)
      .filter(inFile);
    const storage = known.find((one) => one.range === range);
    if (storage === undefined) throw new Error(`"${range.name}" expected an open file`);
    return storage;
  };
  return { flat: { parameters, inputs: flat, keyErrors }, openRange };
}
