/**
 * Numbers of a stack: the arithmetic that its formulas run on, and how its activations are stored.
 *
 * Whatever one step leaves to the next is stored, rounded to the element type of the run. So what is
 * recomputed from stored numbers has the bits of what was stored itself.
 * @module
 */
import type { BigNumber } from 'mathjs';
import type { Arithmetic } from '../../reference/numbers/arithmetic.ts';
import { big } from '../../reference/numbers/big.ts';
import { float64 } from '../../reference/numbers/float64.ts';
import { elementCount, type Tensor, tensorOf, toFlat } from '../../reference/numbers/tensor.ts';
import type { Real } from '../device/device.ts';
import { type RealName, shared } from '../distribute.ts';

export interface Numbers<T> {
  readonly arithmetic: Arithmetic<T>;
  /** The square root of a positive number. */
  readonly sqrt: (x: T) => T;
  /** The numbers of a tensor in row-major storage of their own, rounded to the element type. */
  readonly stored: (tensor: Tensor<T>) => Tensor<T>;
}

/** Numbers that a device takes and gives. */
export interface DeviceNumbers<T> extends Numbers<T> {
  /** Those of a stored tensor; not copied where they are the device's own kind. */
  readonly toDevice: (tensor: Tensor<T>) => Real;
  readonly fromDevice: (values: Real, shape: readonly number[]) => Tensor<T>;
}

/** Is it an array of a device's numbers? */
export const isReal = (data: unknown): data is Real =>
  data instanceof Float32Array || data instanceof Float64Array;

/** Float64 formulas over activations of an element type, in memory that worker threads may share. */
export function realNumbers(real: RealName): DeviceNumbers<number> {
  const stored = (tensor: Tensor): Tensor =>
    tensorOf<number>(shared(real, toFlat(tensor)), tensor.shape);
  return {
    arithmetic: float64,
    sqrt: Math.sqrt,
    stored,
    toDevice: (tensor) => {
      const { data } = tensor;
      if (isReal(data) && data.length === elementCount(tensor.shape)) {
        return data;
      }
      return shared(real, toFlat(tensor));
    },
    fromDevice: (values, shape) => tensorOf<number>(values, shape),
  };
}

/** Decimals, all digits of them stored. */
export const bigNumbers = (digits: number): Numbers<BigNumber> => ({
  arithmetic: big(digits),
  sqrt: (x) => x.sqrt(),
  stored: (tensor) => tensorOf(toFlat(tensor), tensor.shape),
});

/** σ(x) = 1/(1 + e^−x), without overflow on either side. */
export function sigmoid<T>({ zero, one, add, div, neg, exp, compare }: Arithmetic<T>, x: T): T {
  if (compare(x, zero) >= 0) return div(one, add(one, exp(neg(x))));
  const e = exp(x);
  return div(e, add(one, e));
}
