/**
 * How many ranks deal heads out among themselves: the one definition, of plans, the clock and runs.
 * @module
 */

export interface DealtOver {
  readonly ranks: number;
  /** Query heads. */
  readonly heads: number;
  /** Ranks of a node; 1 when absent, as a run knows of no nodes. */
  readonly ranks_per_node?: number;
  /** Ranks of a group under USP, where it is asked for. */
  readonly group?: number | undefined;
}

/**
 * Ranks of a group under USP: the largest divisor of a node's ranks, of all ranks and of the heads.
 * Where a node has one rank, the largest divisor of ranks and heads up to √ranks; where there is none
 * but 1, the least above it that leaves several groups. 1 is LV-XAttn's ring alone. What is asked for
 * comes first.
 */
export function uspGroup({ ranks, heads, ranks_per_node = 1, group: asked }: DealtOver): number {
  if (asked !== undefined) return asked;
  const nodes = ranks_per_node > 1;
  const fits = (group: number): boolean =>
    ranks % group === 0 && heads % group === 0 && (!nodes || ranks_per_node % group === 0);
  const most = nodes ? ranks_per_node : Math.floor(Math.sqrt(ranks));
  for (let group = Math.min(most, heads); group > 1; group--) if (fits(group)) return group;
  if (nodes) return 1;
  for (let group = most + 1; group <= Math.min(heads, ranks / 2); group++) {
    if (fits(group)) return group;
  }
  return 1;
}

/** Throws RangeError where groups of `group` ranks cannot deal these heads out. */
export function checkGroup(group: number, { ranks, heads }: DealtOver): void {
  if (group >= 1 && ranks % group === 0 && heads % group === 0) return;
  throw new RangeError(
    `"group" expected a divisor of "ranks" (${ranks}) and of "heads" (${heads}), got ${group}`,
  );
}

/** The most ranks, of so many, that heads come out even over. */
export function ranksForHeads(ranks: number, heads: number): number {
  let most = Math.min(ranks, heads);
  while (heads % most !== 0) most--;
  return most;
}
