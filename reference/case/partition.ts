/**
 * How rows and keys are dealt out over ranks where nobody says.
 * @module
 */

/** Sizes of ranks' blocks, as even as whole numbers can be: the first few one larger. */
export function evenSizes(total: number, ranks: number): number[] {
  const [least, more] = [Math.floor(total / ranks), total % ranks];
  return Array.from({ length: ranks }, (_, n) => least + (n < more ? 1 : 0));
}
