/**
 * Adding to parts of flat tensors.
 * @module
 */
import { nth } from '../../numbers/nth.ts';

/** target[at + e] += factor·|source[from + e]|. */
export function addScaled(
  target: Float64Array,
  at: number,
  factor: number,
  source: Float64Array,
  from: number,
  width: number,
): void {
  for (let e = 0; e < width; e++) {
    target[at + e] = nth(target, at + e) + factor * Math.abs(nth(source, from + e));
  }
}

export function increment(target: Float64Array, at: number, width: number, by = 1): void {
  for (let e = 0; e < width; e++) target[at + e] = nth(target, at + e) + by;
}
