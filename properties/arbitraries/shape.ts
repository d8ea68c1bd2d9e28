/**
 * Shapes of cases: extents as independent numbers, so that each shrinks by itself towards one.
 * @module
 */
import fc from 'fast-check';
import type { CaseParameters } from '../../reference/case/case.ts';

/** Largest extents that are drawn; every one may be left out. */
export interface ShapeLimits {
  readonly batch?: number;
  /** Of KV heads, and of query heads per KV head. */
  readonly kvHeads?: number;
  readonly group?: number;
  readonly seqQ?: number;
  readonly seqKv?: number;
  readonly headDim?: number;
  readonly dimY?: number;
  /** Rows and keys are multiples of one of these numbers of ranks. */
  readonly evenOver?: readonly number[] | undefined;
}

/** The extents of a case, as `case.json` names them. */
export type Shape = Pick<
  CaseParameters,
  'batch' | 'heads' | 'kv_heads' | 'seq_q' | 'seq_kv' | 'head_dim' | 'head_dim_v'
>;

/** Extents with heads a multiple of kv_heads. One case in twenty has no key at all. */
export function shapeArbitrary(limits: ShapeLimits = {}): fc.Arbitrary<Shape> {
  const { batch = 2, kvHeads = 2, group = 3, seqQ = 6, seqKv = 10, headDim = 6 } = limits;
  const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
  if (limits.evenOver !== undefined) return evenShape(limits, limits.evenOver);
  return fc
    .record({
      batch: upTo(batch),
      kv_heads: upTo(kvHeads),
      group: upTo(group),
      seq_q: upTo(seqQ),
      seq_kv: fc.oneof(
        { weight: 19, arbitrary: upTo(seqKv) },
        { weight: 1, arbitrary: fc.constant(0) },
      ),
      head_dim: upTo(headDim),
      head_dim_v: upTo(headDim),
    })
    .map(({ group: size, ...extents }) => ({ ...extents, heads: size * extents.kv_heads }));
}

/** Rows and keys as multiples, of about the sizes that they would have otherwise. */
function evenShape(limits: ShapeLimits, ranks: readonly number[]): fc.Arbitrary<Shape> {
  const { seqQ = 6, seqKv = 10 } = limits;
  const parts = (max: number): number => Math.max(2, Math.ceil(max / Math.max(...ranks)));
  const { evenOver: _, ...rest } = limits;
  return fc
    .record({
      of: fc.constantFrom(...ranks),
      shape: shapeArbitrary({ ...rest, seqQ: parts(seqQ), seqKv: parts(seqKv) }),
    })
    .map(({ of, shape }) => ({ ...shape, seq_q: of * shape.seq_q, seq_kv: of * shape.seq_kv }));
}
