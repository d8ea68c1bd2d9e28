/**
 * Merges of given partial results: the suite `merge`, and the part of `core` that is put to candidates who say
 * `merge`. A case keeps its bits when others are added, as in spec.ts.
 * @module
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { drawTensor } from '../../properties/arbitraries/values.ts';
import type { AttentionCase, Dtype, Judging } from '../../reference/case/case.ts';
import { lseDtype } from '../../reference/case/merge-case.ts';
import { validateCase } from '../../reference/case/validate.ts';
import { roundTo } from '../../reference/numbers/format.ts';
import { elementCount, forEachIndex, zeros } from '../../reference/numbers/tensor.ts';
import { seedOf } from './spec.ts';

/** Part p of row i of head h of batch entry b. */
export interface PartAt {
  readonly p: number;
  readonly b: number;
  readonly h: number;
  readonly i: number;
  /** A number of about ±1 of this place. */
  readonly drawn: number;
  readonly parts: number;
}

/** One merge, still without a dtype or numbers. */
export interface MergeSpec {
  readonly name: string;
  readonly shows?: string;
  /** Default 2. */
  readonly parts?: number;
  readonly judging?: Judging;
  /** Its LSE; default: within ±4 of 0. */
  readonly lse?: (at: PartAt) => number;
  /** Component c of its output; default: drawn, 0 where the part has no keys. */
  readonly out?: (at: PartAt, c: number) => number;
  readonly dtypes?: readonly Dtype[];
  /** Asked in `core` too. */
  readonly inCore?: true;
}

const NEVER = Number.NEGATIVE_INFINITY;
const near = ({ drawn }: PartAt): number => 4 * drawn;
const shifted =
  (by: number) =>
  (at: PartAt): number =>
    near(at) + by;

/** Parts that are empty in some rows, each in others. */
const someEmpty = (at: PartAt): number => ((at.i + at.p + at.h) % 3 === 0 ? NEVER : near(at));

/** Rows of which both, one, the other and none are empty, in turn. */
const everyPair = (at: PartAt): number =>
  (((at.i + at.h) % 4) & (at.p % 2 === 0 ? 1 : 2)) === 0 ? NEVER : near(at);

/** Of the row's parts one that weighs most. */
const heavy = ({ i, h, parts }: PartAt): number => (i + h) % parts;

/** Two parts, and nothing odd about them. */
export const PLAIN_MERGE: MergeSpec = { name: 'two-parts', judging: 'random', inCore: true };

export const MERGES: readonly MergeSpec[] = [
  PLAIN_MERGE,
  { name: 'one-part', parts: 1, lse: near, shows: 'One part is that part.' },
  { name: 'three-parts', parts: 3, judging: 'random', inCore: true },
  {
    name: 'seventeen-parts',
    parts: 17,
    judging: 'random',
    shows: 'Parts past a block of 16 are lost.',
  },
  { name: 'sixty-four-parts', parts: 64 },
  {
    ...{ name: 'exact-identity', judging: 'exact', inCore: true },
    shows: 'A part without keys changes something: an ε in the sum, a weight that is not 0.',
    parts: 3,
    lse: (at) => (at.p === heavy(at) ? 0 : NEVER),
    out: ({ p, i, h }, c) => ((p + i + h) % 3) + c - 1,
  },
  {
    ...{ name: 'every-pair-of-empties', inCore: true, lse: everyPair },
    shows: 'e^(−∞ − −∞) is NaN where a part, or both, have no keys.',
  },
  {
    ...{ name: 'all-empty', parts: 3, lse: () => NEVER },
    shows: 'Rows without a key give NaN, or a mean, in place of 0 and −∞.',
  },
  {
    name: 'some-empty-of-five',
    parts: 5,
    lse: someEmpty,
    shows: 'Empty parts between others spoil the running maximum.',
  },
  {
    ...{ name: 'poison-in-empty-parts', parts: 3, lse: someEmpty, inCore: true },
    shows: 'NaN in the output of a part without keys times a weight of 0 is NaN.',
    out: (at, c) =>
      someEmpty(at) === NEVER
        ? ([Number.NaN, 7, Number.POSITIVE_INFINITY][(c + at.i) % 3] ?? 1)
        : at.drawn + c,
  },
  {
    ...{ name: 'equal-parts', lse: ({ i, h }) => (i - 2 * h) / 4, inCore: true },
    shows: 'Parts that weigh the same are added, not averaged.',
  },
  {
    ...{
      name: 'far-apart',
      lse: (at) => (at.p === heavy(at) ? 200 : -200) + at.drawn,
      inCore: true,
    },
    shows: 'The largest LSE is not subtracted first: e^400 overflows, whichever part comes first.',
  },
  {
    ...{
      name: 'light-but-large',
      lse: (at) => (at.p === heavy(at) ? 0 : -9) + at.drawn,
      inCore: true,
    },
    shows: 'A light part is taken for nothing, though its values are large.',
    out: (at, c) => (at.p === heavy(at) ? 1 : 2000) * (at.drawn + (c % 3) + 0.5),
  },
  {
    ...{
      name: 'one-of-eight-dominates',
      parts: 8,
      lse: (at) => (at.p === heavy(at) ? 12 : 0) + at.drawn,
    },
    shows: 'The running maximum is that of the first part, or of the last.',
  },
  { name: 'shift-plus-300', lse: shifted(300), inCore: true, shows: 'e^LSE overflows.' },
  {
    name: 'shift-minus-300',
    lse: shifted(-300),
    inCore: true,
    shows: 'e^LSE underflows, and the sum is 0.',
  },
  { name: 'shift-plus-10000', lse: shifted(10_000), shows: 'The LSE is clamped.' },
  {
    name: 'shift-minus-10000',
    lse: shifted(-10_000),
    shows: 'The LSE is clamped, or taken for a mask.',
  },
  { name: 'all-negative', parts: 3, lse: (at) => near(at) - 20, shows: 'The maximum begins at 0.' },
  {
    ...{
      name: 'beside-a-mask-of-minus-1e30',
      lse: (at) => (at.p === heavy(at) ? at.drawn : -1e30),
    },
    shows: 'A part of keys masked by a number leaves NaN.',
  },
  {
    ...{
      name: 'part-tags',
      parts: 5,
      lse: (at) => at.drawn - at.p / 2,
      out: ({ p }, c) => 2 ** p + c,
      inCore: true,
    },
    shows: 'Weights go to another part.',
  },
  {
    ...{
      name: 'row-tags',
      lse: ({ p, i, h, drawn }) => (p === 0 ? i : 3 * h) + drawn / 8,
      out: ({ p }) => (p === 0 ? 1 : -1),
      inCore: true,
    },
    shows: 'LSEs are read in another layout: [rows, heads].',
  },
  {
    ...{
      name: 'cancelling',
      lse: ({ i, h }) => (i + h) / 2,
      out: (at, c) => (at.p % 2 === 0 ? 1 : -1) * (64 + c + (at.i % 2) / 8),
    },
    shows: 'Weights that do not add up to 1.',
  },
  {
    name: 'subnormal-values',
    out: ({ drawn }, c) => (drawn + c) * 2 ** -126,
    dtypes: ['f32', 'bf16'],
  },
];

interface Sizes {
  readonly batch: number;
  readonly heads: number;
  readonly seq_q: number;
  readonly head_dim_v: number;
}

/** Drawn sizes: more rows than parts where there are few parts. */
function sizesOf(name: string, seed: number): Sizes {
  const draw = xoroshiro128plus(seedOf(`${name}, extents`, seed));
  const from = (low: number, high: number): number => uniformInt(draw, low, high);
  return { batch: 2, heads: from(2, 4), seq_q: from(9, 13), head_dim_v: from(3, 9) };
}

/** The merge of a spec in a dtype, validated. */
export function buildMergeSpec(
  spec: MergeSpec,
  id: string,
  dtype: Dtype,
  seed: number,
): AttentionCase {
  const { name, parts = 2, judging = 'structured', lse = near, out } = spec;
  const sizes = sizesOf(name, seed);
  const shape = [parts, sizes.batch, sizes.heads, sizes.seq_q];
  const drawn = (what: string, of: readonly number[]) =>
    drawTensor(
      { seed: seedOf(`${name}, ${what}`, seed), regime: 'normal', dtype: 'f64' },
      what,
      of,
    );
  const [atLses, atOuts] = [drawn('lses', shape), drawn('outs', [...shape, sizes.head_dim_v])];
  const [lses, outs] = [zeros(shape), zeros([...shape, sizes.head_dim_v])];
  if (elementCount(shape) === 0) throw new Error(`${name} has no parts`);
  forEachIndex(shape, ([p = 0, b = 0, h = 0, i = 0]) => {
    const place = { p, b, h, i, parts };
    const value = lse({ ...place, drawn: atLses.get(p, b, h, i) / 3 });
    lses.set(p, b, h, i, roundTo(lseDtype(dtype), value));
    for (let c = 0; c < sizes.head_dim_v; c++) {
      const own = { ...place, drawn: atOuts.get(p, b, h, i, c) };
      const given = out?.(own, c) ?? own.drawn;
      const x = out === undefined && value === NEVER ? 0 : given;
      outs.set(p, b, h, i, c, roundTo(dtype, x));
    }
  });
  return validateCase(
    { schema: 1, id, op: 'merge', dtype, ...sizes, wants: ['out', 'lse'] },
    { outs, lses },
    judging,
  );
}
