/**
 * Results in double-double with radii, flat.
 * @module
 */

import type { DoubleDouble } from '../../numbers/double-double.ts';
import { doubleDouble } from '../../numbers/double-double.ts';
import { nth } from '../../numbers/nth.ts';
import { finiteRadius, SLACK } from '../float64/radius.ts';
import type { KernelProblem } from '../walk/problem.ts';
import { STEP } from './double-radius.ts';

/** Numbers high + low, each within its radius of the real number meant. */
export interface DoubleSums {
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly radius: Float64Array;
}

/** Makes an array of zeros: over shared memory where threads write it. */
export type Allocate = (length: number) => Float64Array;

const onHeap: Allocate = (length) => new Float64Array(length);

export const newDoubleSums = (length: number, allocate = onHeap): DoubleSums => ({
  high: allocate(length),
  low: allocate(length),
  radius: allocate(length),
});

export function put(
  { high, low, radius }: DoubleSums,
  at: number,
  x: DoubleDouble,
  r: number,
): void {
  high[at] = x.hi;
  low[at] = x.lo;
  radius[at] = finiteRadius(x.hi + x.lo, r);
}

/** Outputs of rows, [rows], and what the backward pass needs of them. */
export interface DoubleRows {
  /** [rows, dv] */
  readonly out: DoubleSums;
  readonly lse: DoubleSums;
  /** The number subtracted from each row's scores; −∞ for an empty row and no other, NaN where there is none. */
  readonly m: Float64Array;
  /** 1/l; its radius is the log-domain error of exp(s − m)/l. */
  readonly inverse: DoubleSums;
  readonly tanhError: Float64Array;
}

export const newDoubleRows = (
  rows: number,
  valueDim: number,
  allocate: Allocate = onHeap,
): DoubleRows => ({
  out: newDoubleSums(rows * valueDim, allocate),
  lse: newDoubleSums(rows, allocate),
  m: allocate(rows),
  inverse: newDoubleSums(rows, allocate),
  tanhError: allocate(rows),
});

/** Sums times `factor`, their errors with what the product and underflow cost. */
export function finishSums(
  sums: DoubleSums,
  start: number,
  count: number,
  factor: number | null,
  lost: number,
): void {
  const by = doubleDouble.fromNumber(factor ?? 1);
  for (let n = start; n < start + count; n++) {
    const sum: DoubleDouble = { hi: nth(sums.high, n), lo: nth(sums.low, n) };
    const value = factor === null ? sum : doubleDouble.mul(sum, by);
    const error = Math.abs(by.hi) * nth(sums.radius, n) + Math.abs(value.hi) * 4 * STEP;
    put(sums, n, value, error * SLACK + lost);
  }
}

/** κ of a kept pair, 1 without dropout. */
export function kappaOf({ kappaError, parameters }: KernelProblem): DoubleDouble {
  const { one, sub, div, fromNumber } = doubleDouble;
  return kappaError === 0 ? one : div(one, sub(one, fromNumber(parameters.dropout_rate)));
}
