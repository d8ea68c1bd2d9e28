/**
 * SuiteSpec: one case of a suite, still without a dtype or numbers.
 *
 * Specs are data; `buildCase` draws the extents and the numbers from generators seeded by the suite's seed
 * and the case's own name, so a case keeps its bits when others are added or reordered.
 * @module
 */

import type { AttentionCase, Dtype } from '../../reference/case/case.ts';
import { drawCase, drawing } from '../../reference/case/draw-case.ts';
import { evenSizes } from '../../reference/case/partition.ts';
import { entry } from '../../reference/numbers/nth.ts';
import { all, shuffledLengths } from './edits.ts';
import type { SuiteSpec } from './suite-spec.ts';
import { varied } from './vary.ts';

/** FNV-1a of a text, 32 bits: the seed of one case. */
export function seedOf(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash | 0;
}

/** One of these numbers of ranks, by a name. */
export const rankCountFor = (ranks: readonly number[], name: string, seed: number): number =>
  entry(ranks, Math.floor(drawing(seedOf(`${name}, ranks`, seed)).uniform() * ranks.length));

/** What suites are built from beside their specs. */
export interface Building {
  readonly seed: number;
  /** Rows and keys come out even over one of these numbers of ranks, where a case's claim allows it. */
  readonly evenOver?: readonly number[] | undefined;
}

/** The case of a spec in a dtype, validated. */
export function buildCase(
  spec: SuiteSpec,
  suite: string,
  dtype: Dtype,
  { seed, evenOver }: Building,
): AttentionCase {
  // Cases of one sequence are of one size.
  const sized = spec.sequence ?? spec.name;
  const {
    name,
    shows,
    ranks = 1,
    partition,
    dtypes,
    sequence,
    keeps,
    ...changes
  } = varied(
    spec,
    seedOf(`${sized}, extents`, seed),
    evenOver === undefined ? 1 : rankCountFor(evenOver, sized, seed),
  );
  const { seq_q: seqQ = 0, seq_kv: seqKv = 0 } = changes;
  return drawCase(seedOf(name, seed), {
    dLse: false,
    ...changes,
    adjust: changes.adjust === undefined ? shuffledLengths : all(shuffledLengths, changes.adjust),
    id: `${suite}/${name}`,
    dtype,
    partition: partition ?? { ranks, q: evenSizes(seqQ, ranks), kv: evenSizes(seqKv, ranks) },
  });
}
