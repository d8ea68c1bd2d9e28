/**
 * Adding to parts of flat tensors.
 * @module
 */
import { nth } from '../../numbers/nth.ts';

/** target[at + e] += by, `width` of them. */
export function increment(target: Float64Array, at: number, width: number, by = 1): void {
  for (let e = 0; e < width; e++) target[at + e] = nth(target, at + e) + by;
}
