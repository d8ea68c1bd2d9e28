/**
 * Merges of partial results: of however many parts and whatever LSEs, parts without keys, every dtype.
 *
 * Drawn as a recipe like a whole case (attention-case.ts), and shrunk field by field: fewer parts, fewer rows,
 * plainer values, LSEs near one another.
 * @module
 */
import fc from 'fast-check';
import { type AttentionCase, DTYPES, type Dtype } from '../../reference/case/case.ts';
import { lseDtype } from '../../reference/case/merge-case.ts';
import { validateCase } from '../../reference/case/validate.ts';
import { roundTo } from '../../reference/numbers/format.ts';
import {
  elementCount,
  forEachIndex,
  type Tensor,
  tensorOf,
} from '../../reference/numbers/tensor.ts';
import { sometimes } from './mask.ts';
import {
  drawTensor,
  REGIMES,
  type Regime,
  regimeArbitrary,
  seedArbitrary,
  uniformAt,
} from './values.ts';

/** How the LSEs of a row's parts lie to one another, plainest first. */
export const LSE_REGIMES = ['near', 'equal', 'apart', 'dominant', 'huge', 'bits'] as const;
export type LseRegime = (typeof LSE_REGIMES)[number];

export interface MergeOptions {
  readonly dtypes?: readonly Dtype[];
  readonly regimes?: readonly Regime[];
  /** NaN and numbers in the outputs of parts without keys. */
  readonly poison?: boolean;
}

/** Everything that a merge is built from. */
export interface MergeRecipe {
  readonly dtype: Dtype;
  readonly parts: number;
  readonly batch: number;
  readonly heads: number;
  readonly rows: number;
  readonly width: number;
  readonly values: Regime;
  readonly lses: LseRegime;
  /** Added to every LSE. */
  readonly shift: number;
  /** One part in so many has no keys; null = none. */
  readonly empty: number | null;
  readonly poison: boolean;
  readonly seed: number;
}

export function mergeRecipeArbitrary(options: MergeOptions = {}): fc.Arbitrary<MergeRecipe> {
  const { dtypes = DTYPES, regimes = REGIMES, poison = true } = options;
  const size = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
  return fc.record({
    dtype: fc.constantFrom(...dtypes),
    parts: fc.oneof(
      { weight: 3, arbitrary: fc.constant(2) },
      { weight: 2, arbitrary: size(4) },
      { weight: 1, arbitrary: size(17) },
    ),
    ...{ batch: size(2), heads: size(3), rows: size(5), width: size(9) },
    values: regimeArbitrary(regimes),
    lses: fc.constantFrom(...LSE_REGIMES),
    shift: fc.constantFrom(0, 0, 100, -100, 1000, -1000),
    empty: sometimes(fc.constantFrom(4, 2, 1), 2),
    poison: poison ? fc.boolean() : fc.constant(false),
    seed: seedArbitrary,
  });
}

/** Between −1 and 1, of one place. */
const unit = (seed: number, name: string, index: readonly number[]): number =>
  2 * uniformAt(seed, name, index)() - 1;

function lseAt(
  { lses, seed, shift }: MergeRecipe,
  index: readonly number[],
  drawn: number,
): number {
  const row = index.slice(1);
  const own = unit(seed, 'lses', index);
  switch (lses) {
    case 'near':
      return 4 * own + shift;
    case 'equal':
      return 4 * unit(seed, 'lses', row) + shift;
    case 'apart':
      return 60 * own + shift;
    case 'dominant':
      return (index[0] === Math.floor(uniformAt(seed, 'part', row)() * 3) ? 30 : 0) + own + shift;
    case 'huge':
      return 3000 * own + 30 * shift;
    case 'bits':
      return drawn;
  }
}

function lsesOf(recipe: MergeRecipe, shape: readonly number[]): Tensor {
  const { dtype, seed, empty } = recipe;
  const stored = lseDtype(dtype);
  const drawn = drawTensor({ seed, regime: 'bits', dtype: stored }, 'lse bits', shape);
  const lses = tensorOf<number>(new Float64Array(elementCount(shape)), shape);
  forEachIndex(shape, (index) => {
    const none = empty !== null && Math.floor(uniformAt(seed, 'empty', index)() * empty) === 0;
    const value = roundTo(stored, lseAt(recipe, index, drawn.get(...index)));
    lses.set(...index, none ? Number.NEGATIVE_INFINITY : value);
  });
  return lses;
}

const VENOM = [Number.NaN, Number.POSITIVE_INFINITY, -1, Number.NEGATIVE_INFINITY];

/** The case of a recipe, validated. */
export function buildMerge(recipe: MergeRecipe): AttentionCase {
  const { dtype, parts, batch, heads, rows, width, values, seed, poison } = recipe;
  const lses = lsesOf(recipe, [parts, batch, heads, rows]);
  const shape = [parts, batch, heads, rows, width];
  const outs = drawTensor({ seed, regime: values, dtype }, 'outs', shape);
  forEachIndex(shape, (index) => {
    if (Number.isFinite(lses.get(...index.slice(0, 4)))) return;
    const [p = 0, , , i = 0, c = 0] = index;
    outs.set(
      ...(index as [number, number, number, number, number]),
      poison ? (VENOM[(p + i + c) % 4] ?? 0) : 0,
    );
  });
  const sizes = { batch, heads, seq_q: rows, head_dim_v: width };
  const judging = values === 'normal' && recipe.lses === 'near' ? 'random' : 'structured';
  return validateCase(
    { schema: 1, id: 'merge', op: 'merge', dtype, ...sizes, wants: ['out', 'lse'] },
    { outs, lses },
    judging,
  );
}
