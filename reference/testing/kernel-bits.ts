/**
 * The bits of everything the kernels compute for some cases, as short texts: equal texts, equal bits. It runs
 * wherever the kernels do.
 * @module
 */
import type { AttentionCase } from '../case/case.ts';
import { drawCase } from '../case/draw-case.ts';
import { certifyDouble } from '../kernels/double/double-certify.ts';
import { certify } from '../kernels/float64/certify.ts';
import type { Storage } from '../numbers/tensor.ts';
import { FEATURE_CASES } from './feature-cases.ts';

/** Several tiles and several heads, so that two threads share the work. */
const LARGE = { heads: 4, kv_heads: 4, seq_q: 200, seq_kv: 1100, batch: 1 } as const;

export const BITS_CASES: readonly (readonly [string, AttentionCase])[] = [
  ...FEATURE_CASES.map(([name, changes]) => [name, drawCase(3, changes)] as const),
  ['several tiles', drawCase(2, LARGE)],
];

/** Two 32-bit sums over the words of the numbers, in order (FNV-1a and a multiplicative one). */
function digest(data: Storage<number>): string {
  const words = new Uint32Array(Float64Array.from(data).buffer);
  let [a, b] = [0x811c9dc5, 1];
  for (const word of words) {
    a = Math.imul(a ^ word, 0x01000193);
    b = (Math.imul(b, 0x9e3779b1) + word) | 0;
  }
  return [a, b, words.length].map((x) => (x >>> 0).toString(16)).join('-');
}

/** A line for each output of each case, by the float64 kernels on so many threads. */
export function kernelBits(threads: number): string[] {
  return BITS_CASES.flatMap(([name, c]) =>
    Object.entries(certify(c, { threads })).map(
      ([output, { mid, radius }]) => `${name} ${output} ${digest(mid.data)} ${digest(radius.data)}`,
    ),
  );
}

/** The same by the double-double kernels, of all cases but the last. */
export function doubleBits(threads: number): string[] {
  return BITS_CASES.slice(0, -1).flatMap(([name, c]) =>
    Object.entries(certifyDouble(c, { threads })).map(
      ([output, { high, low, radius }]) =>
        `${name} ${output} ${digest(high)} ${digest(low)} ${digest(radius)}`,
    ),
  );
}
