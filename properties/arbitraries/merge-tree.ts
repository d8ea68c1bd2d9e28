/**
 * Merge trees and orders: which two partial results are joined next.
 *
 * A tree is a list of picks; every list is a tree over any number of leaves, so both shrink freely
 * (an empty list joins the first two, again and again).
 * @module
 */
import fc from 'fast-check';

/** Picks of the pool, read round and round. */
export type MergeTree = readonly number[];

/** Any tree over any order of leaves. */
export function mergeTreeArbitrary(): fc.Arbitrary<MergeTree> {
  return fc.array(fc.nat({ max: 1000 }), { maxLength: 30 });
}

/** Joins all leaves along the tree; `empty` when there is none. */
export function fold<T>(
  tree: MergeTree,
  leaves: readonly T[],
  join: (a: T, b: T) => T,
  empty: T,
): T {
  const pool = [...leaves];
  let step = 0;
  const take = (): T => {
    const pick = tree.length === 0 ? 0 : (tree[step++ % tree.length] ?? 0);
    return pool.splice(pick % pool.length, 1)[0] ?? empty;
  };
  while (pool.length > 1) {
    const a = take();
    pool.push(join(a, take()));
  }
  return pool[0] ?? empty;
}
