/**
 * Values that are computed when they are first asked for.
 * @module
 */

/** What is computed when it is first asked for, and then kept. */
export function lazily<T>(compute: () => T): () => T {
  let known: { readonly value: T } | undefined;
  return () => {
    known ??= { value: compute() };
    return known.value;
  };
}
