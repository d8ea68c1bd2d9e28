/**
 * Arithmetic<T>: what a number system must offer for the definition of attention to run on it.
 *
 * The definition (attention.ts, gradients.ts, merge.ts, recompute.ts) is written once over this
 * interface. −∞ never appears as a T: an empty set of keys is represented by `null` (merge.ts).
 * @module
 */
export interface Arithmetic<T> {
  readonly name: string;
  readonly zero: T;
  readonly one: T;
  /** The exact value of a finite float64, or the nearest T if the system is coarser. */
  fromNumber(value: number): T;
  /** The nearest float64, for reports; not a certified conversion. */
  toNumber(value: T): number;
  add(a: T, b: T): T;
  sub(a: T, b: T): T;
  mul(a: T, b: T): T;
  div(a: T, b: T): T;
  neg(a: T): T;
  /** Negative, zero or positive as a < b, a = b, a > b. */
  compare(a: T, b: T): number;
  /** The exponential of the softmax: e^x, or 2^x on the rationals (any base obeys the same laws). */
  exp(x: T): T;
  /** The inverse of `exp`. */
  log(x: T): T;
  tanh(x: T): T;
}
