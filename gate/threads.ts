/**
 * How many threads the kernels get: those of the machine for a case that is worth starting them for.
 * @module
 */
import { availableParallelism } from 'node:os';
import type { AttentionCase } from '../reference/case/case.ts';

/** Products of a score that one thread does sooner than others start. */
const ALONE = 2 ** 28;

export function threadsFor({ parameters: p }: AttentionCase): number {
  const products = p.batch * p.heads * p.seq_q * p.seq_kv * (p.head_dim + p.head_dim_v);
  return products < ALONE ? 1 : availableParallelism();
}
