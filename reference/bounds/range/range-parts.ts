/**
 * Parts of dK and dV: those of each query head of a group may be stored in the output format before they
 * are added, and overflow there where their sum does not. Lemma Range, spec/bounds.md
 * @module
 */
import type { CaseParameters } from '../../case/case.ts';
import { type Tensor, zeros } from '../../numbers/tensor.ts';
import { type Limits, over } from './range-limits.ts';

type Part = 'd_k' | 'd_v';

/** Magnitudes that each query head adds to dK and dV. */
export interface PartSums {
  /** Adds to the part of query head h; says whether that may not fit when it is stored. */
  add(name: Part, at: readonly [b: number, h: number, j: number, c: number], size: number): boolean;
}

/** Sums [B, Hq, Skv, D] of a case; null where no part can overflow and its sum not. */
export function partSums(
  { batch, heads, kv_heads, seq_kv, head_dim, head_dim_v }: CaseParameters,
  { output, sum }: Limits,
): PartSums | null {
  if (heads === kv_heads || !(output < sum)) return null;
  const of = (width: number): Tensor => zeros([batch, heads, seq_kv, width]);
  const sums = { d_k: of(head_dim), d_v: of(head_dim_v) };
  return {
    add(name, at, size) {
      const total = sums[name].get(...at) + Math.abs(size);
      sums[name].set(...at, total);
      return over(total, output);
    },
  };
}
