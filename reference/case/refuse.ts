/**
 * How what is wrong with a case is said: the field, what was expected there, and what came.
 * @module
 */
import { nth } from '../numbers/nth.ts';
import { indexOf, type Tensor } from '../numbers/tensor.ts';

/** A RangeError about a field or an element. */
export function refuse(field: string, expected: string, got: unknown): never {
  const shown = got === undefined ? 'none' : (JSON.stringify(got) ?? String(got));
  const short = shown.length > 120 ? `${shown.slice(0, 117)}...` : shown;
  throw new RangeError(`"${field}" expected ${expected}, got ${short}`);
}

/** Is every element finite? */
export function allFinite(run: Float64Array): boolean {
  let sum = 0;
  for (let n = 0; n < run.length; n++) {
    const x = nth(run, n);
    sum += x - x; // 0, or NaN
  }
  return sum === 0;
}

/** An element by its index. */
export const place = (name: string, tensor: Tensor, flat: number): string =>
  `${name}[${indexOf(tensor.shape, flat).join(', ')}]`;
