/**
 * Heads: which KV head each query head reads.
 * @module
 */

/** KV head that query head h reads. spec (1) */
export function kvHead(parameters: { heads: number; kv_heads: number }, h: number): number {
  return Math.floor((h * parameters.kv_heads) / parameters.heads);
}
