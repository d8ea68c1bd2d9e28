/**
 * A case over shared memory, so that threads read it without copies of their own.
 * @module
 */
import type { AttentionCase, InputName } from '../case.ts';
import { elementCount, forEachIndex, type Tensor } from '../tensor.ts';
import type { KeyErrors } from './problem.ts';
import type { FlatCase, FlatTensor } from './task.ts';

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

/** The tensor's own storage where that is shared already and in order, else a copy. */
function flatten(tensor: Tensor): FlatTensor {
  const { data, shape } = tensor;
  const ordered = data instanceof Float64Array && rowMajor(tensor);
  if (ordered && data.buffer instanceof SharedArrayBuffer) return { data, shape };
  const copy = sharedArray(elementCount(shape));
  if (ordered) copy.set(data);
  else {
    let n = 0;
    forEachIndex(shape, (index) => {
      copy[n++] = tensor.get(...index);
    });
  }
  return { data: copy, shape };
}

/** The case, with the K and V to use, over shared memory. */
export function sharedCase(
  { parameters, inputs }: AttentionCase,
  k: Tensor,
  v: Tensor,
  keyErrors: KeyErrors | null,
): FlatCase {
  const flat: Partial<Record<InputName, FlatTensor>> = {};
  for (const [name, tensor] of Object.entries(inputs)) {
    if (name !== 'k' && name !== 'v') flat[name as InputName] = flatten(tensor);
  }
  return { parameters, inputs: flat, k: flatten(k), v: flatten(v), keyErrors };
}
