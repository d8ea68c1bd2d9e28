/**
 * Controls: plain shapes, every feature alone, every pair of features, every way to shard.
 * @module
 */
import type { CaseChanges } from '../../reference/case/draw-case.ts';
import { evenSizes } from '../../reference/case/partition.ts';
import { maxFinite } from '../../reference/numbers/format.ts';
import { type Adjust, set } from './edits.ts';
import type { SuiteSpec } from './suite-spec.ts';
import { EVERYTHING } from './vary.ts';

/** A row, which is drawn, stands before every image, and sees nothing. */
const noImageYet: Adjust = (inputs, p, below) =>
  inputs.media_text?.set(below(p.batch), below(p.seq_q), 0);

/** Each feature as the changes that add it to a case of 2 batches, 4 heads, 5 queries, 11 keys. */
const FEATURES: Readonly<Record<string, CaseChanges>> = {
  gqa: { heads: 6, kv_heads: 2 },
  mask: { mask: [2, 1, 5, 11] },
  bias: { bias: [1, 1, 5, 11] },
  'causal-top-left': { causal: 'top-left' },
  'causal-bottom-right': { causal: 'bottom-right' },
  window: { window: [5, 3] },
  softcap: { softcap: 2 },
  sink: { sink: true },
  dropout: { dropout_rate: 0.25 },
  media: { media: 'previous', adjust: noImageYet },
  varlen: { lengths: [11, 6] },
  dlse: { dLse: true },
  recompute: { dim_y: 6 },
  uneven: {},
};

const BASE = { batch: 2, heads: 4, kv_heads: 4, seq_q: 5, seq_kv: 11 } as const;

function sharded(name: string, changes: CaseChanges, features: readonly string[]): SuiteSpec {
  const uneven = features.includes('uneven');
  // Two ranks cannot share 5 rows or 11 keys evenly, so even cases stay on one rank or use 5 and 10.
  const partition = uneven
    ? { ranks: 3, q: [3, 0, 2], kv: [1, 7, 3] }
    : { ranks: 1, q: [5], kv: [11] };
  const { partition: _, id: __, dtype: ___, ...rest } = changes;
  return { name, ...BASE, ...rest, partition };
}

/** Controls that every implementation meets first. */
export const BASIC: readonly SuiteSpec[] = [
  { name: 'basic/one-query-one-key', seq_q: 1, seq_kv: 1, heads: 1, gradients: false },
  { name: 'basic/square', seq_q: 8, seq_kv: 8, gradients: false },
  { name: 'basic/more-keys', seq_q: 3, seq_kv: 20, gradients: false },
  { name: 'basic/more-queries', seq_q: 20, seq_kv: 3, gradients: false },
  { name: 'basic/batch', batch: 3, heads: 3, kv_heads: 3, gradients: false },
  { name: 'basic/wide-values', head_dim: 4, head_dim_v: 17, gradients: false },
  { name: 'basic/narrow-values', head_dim: 16, head_dim_v: 1, gradients: false },
  { name: 'basic/gradients', seq_q: 6, seq_kv: 7 },
  { name: 'basic/gradients-batch', batch: 2, heads: 4, kv_heads: 4 },
  { name: 'basic/two-ranks', seq_q: 4, seq_kv: 8, ranks: 2 },
];

/** Every feature alone, forward, and with gradients. */
export function singles(): SuiteSpec[] {
  return Object.entries(FEATURES).flatMap(([feature, changes]) => [
    ...(feature === 'dlse'
      ? []
      : [{ ...sharded(`feature/${feature}`, changes, [feature]), gradients: false }]),
    sharded(`feature/${feature}-gradients`, changes, [feature]),
  ]);
}

/** Two features that exclude each other. */
function exclusive(a: string, b: string): boolean {
  return a.startsWith('causal') && b.startsWith('causal');
}

/** Every pair of features with gradients: the covering array of strength two. */
export function pairs(): SuiteSpec[] {
  const names = Object.keys(FEATURES);
  return names.flatMap((a, n) =>
    names
      .slice(n + 1)
      .filter((b) => !exclusive(a, b))
      .map((b) => sharded(`pair/${a}-and-${b}`, { ...FEATURES[a], ...FEATURES[b] }, [a, b])),
  );
}

const RANKS = [1, 2, 3, 4, 5, 7] as const;

/** Sizes that differ, with an empty first and last shard where there are enough ranks. */
function holes(total: number, ranks: number): number[] {
  if (ranks < 3) return ranks === 1 ? [total] : [0, total];
  return [0, ...evenSizes(total, ranks - 2).reverse(), 0];
}

function lopsided(total: number, ranks: number): number[] {
  return [total - ranks + 1, ...Array.from({ length: ranks - 1 }, () => 1)];
}

/** Partitions of 1 to 7 ranks: even, uneven, with empty shards of queries and of keys. */
export function partitions(): SuiteSpec[] {
  return RANKS.flatMap((ranks) => {
    const [rows, keys] = [2 * ranks, 4 * ranks];
    const common = { heads: 4, kv_heads: 2, seq_q: rows, seq_kv: keys };
    const make = (kind: string, q: number[], kv: number[], gradients: boolean): SuiteSpec => ({
      name: `ranks/${ranks}-${kind}${gradients ? '-gradients' : ''}`,
      ...common,
      ...(kind === 'even' ? { keeps: ['sizes'] } : {}),
      gradients,
      partition: { ranks, q, kv },
    });
    const even = [evenSizes(rows, ranks), evenSizes(keys, ranks)] as const;
    const list = [make('even', ...even, false), make('even', ...even, true)];
    if (ranks === 1) return list;
    const uneven = [lopsided(rows, ranks), lopsided(keys, ranks).reverse()] as const;
    return [
      ...list,
      make('uneven', ...uneven, false),
      make('uneven', ...uneven, true),
      make('empty-keys', even[0], holes(keys, ranks), true),
      make('empty-queries', holes(rows, ranks), even[1], true),
    ];
  });
}

/**
 * Every feature with gradients on four or six ranks, uneven and with an empty block, which divide the
 * heads: schedules that deal heads out do so there, and under USP the ranks are a grid.
 */
export function grids(): SuiteSpec[] {
  const four = { ranks: 4, q: [2, 1, 0, 2], kv: [3, 4, 0, 4] };
  const six = { ranks: 6, q: [1, 0, 1, 1, 1, 1], kv: [2, 3, 1, 0, 3, 2] };
  return Object.keys(FEATURES).map((feature, n): SuiteSpec => {
    const { partition: _, ...spec } = sharded(
      `grid/${feature}-gradients`,
      FEATURES[feature] ?? {},
      [],
    );
    const partition = spec.heads === 6 ? six : four;
    const kv_heads = spec.heads === 6 ? 2 : 1 + (n % 2);
    return { ...spec, kv_heads, partition, keeps: ['heads'] };
  });
}

/** Extents on which implementations stumble: tile tails, odd sizes, heads of every grouping. */
export const SHAPES: readonly SuiteSpec[] = [
  ...[1, 3, 5, 7, 59, 111].map(
    (d): SuiteSpec => ({ name: `shape/head-dim-${d}`, head_dim: d, head_dim_v: d, scale: 0.25 }),
  ),
  ...[31, 32, 33, 65].map(
    (n): SuiteSpec => ({
      name: `shape/keys-${n}`,
      shows: 'a tile tail read as real keys (missing boundary check)',
      keeps: ['sizes'],
      seq_kv: n,
      ranks: 2,
      gradients: n % 2 === 1,
    }),
  ),
  ...[17, 31, 33].map(
    (n): SuiteSpec => ({
      name: `shape/queries-${n}`,
      keeps: ['sizes'],
      seq_q: n,
      seq_kv: 5,
      ranks: 3,
      gradients: true,
    }),
  ),
  { name: 'shape/multi-query', heads: 6, kv_heads: 1 },
  { name: 'shape/groups-of-three', heads: 6, kv_heads: 2 },
  { name: 'shape/groups-of-two', heads: 6, kv_heads: 3 },
  { name: 'shape/wide-values-gradients', head_dim: 4, head_dim_v: 13, heads: 4, kv_heads: 2 },
  { name: 'shape/one-query', seq_q: 1, seq_kv: 13, heads: 4, kv_heads: 2, ranks: 3 },
  { name: 'shape/one-key', seq_q: 5, seq_kv: 1, ranks: 2 },
  { name: 'shape/no-keys', seq_q: 3, seq_kv: 0, ranks: 2 },
  { name: 'shape/no-keys-but-a-sink', seq_q: 3, seq_kv: 0, sink: true },
  { name: 'shape/no-keys-forward', seq_q: 3, seq_kv: 0, gradients: false },
];

/** The shape of a bias or a mask is in the case's name; components are in nobody's. */
const NAMED = { ...BASE, keeps: ['batch', 'heads', 'sizes'] } as const;

/** A bias of every broadcast shape, on 2 batches, 4 heads, 5 queries, 11 keys. */
export const BIASES: readonly SuiteSpec[] = [
  [11],
  [5, 11],
  [4, 1, 11],
  [1, 1, 1, 1],
  [1, 1, 1, 11],
  [2, 1, 1, 11],
  [1, 4, 5, 11],
  [2, 4, 5, 1],
  [2, 4, 1, 1],
  [2, 1, 5, 11],
  [2, 4, 5, 11],
].flatMap((shape) => [
  {
    name: `bias/${shape.join('x')}`,
    shows: 'a broadcast bias indexed as if it had its full shape, or its gradient not summed',
    ...NAMED,
    bias: shape,
  },
  ...(shape.length < 4
    ? []
    : [{ name: `bias/${shape.join('x')}-forward`, ...NAMED, bias: shape, gradients: false }]),
]);

/** A bias of −∞ where `hides` says so. */
const masksByBias = (hides: (i: number, j: number) => boolean): Partial<SuiteSpec> => ({
  shows: 'a bias of −∞ taken for a number: NaN out of −∞ − −∞, or weight on a key that it masks',
  ...NAMED,
  bias: [1, 1, 5, 11],
  ranks: 3,
  adjust: set('bias', ([, , i = 0, j = 0], old) => (hides(i, j) ? Number.NEGATIVE_INFINITY : old)),
});

/** A bias of `low`, or the lowest number that the dtype has, where `hides` says so, and 0 elsewhere. */
const masksByNumber = (
  low: number,
  bias: number[],
  hides: (b: number, i: number, j: number) => boolean,
): Partial<SuiteSpec> => ({
  shows:
    'a mask that is added as a large negative number: not added, or added so that NaN comes of it',
  ...NAMED,
  bias,
  ranks: 3,
  adjust: set('bias', ([b = 0, , i = 0, j = 0], _, { dtype }) =>
    hides(b, i, j) ? Math.max(low, -maxFinite(dtype)) : 0,
  ),
});

const isPadding = (b: number, _: number, j: number): boolean => j > 7 - 3 * b;
const isLater = (_: number, i: number, j: number): boolean => j > 2 * i;

/** Biases that are masks as well, as frameworks write them; row 2 sees nothing in most of those of −∞. */
export const MASKING_BIASES: readonly SuiteSpec[] = [
  { name: 'bias/masks', ...masksByBias((i, j) => (i + j) % 3 > 0), gradients: false },
  { name: 'bias/masks-gradients', ...masksByBias((i, j) => i === 2 || (i + j) % 3 > 0) },
  { name: 'bias/masks-beside-a-sink', ...masksByBias((i, j) => i === 2 || i !== j), sink: true },
  { name: 'bias/masks-a-shard-gradients', ...masksByBias((i, j) => i === 2 || j < 4) },
  {
    name: 'bias/lowest-padding-gradients',
    ...masksByNumber(Number.NEGATIVE_INFINITY, [2, 1, 1, 11], isPadding),
  },
  { name: 'bias/minus-1e9-causal-gradients', ...masksByNumber(-1e9, [1, 1, 5, 11], isLater) },
  {
    name: 'bias/minus-1e6-causal',
    ...masksByNumber(-1e6, [1, 1, 5, 11], isLater),
    gradients: false,
  },
  {
    name: 'bias/minus-1e4-padding',
    ...masksByNumber(-1e4, [2, 1, 1, 11], isPadding),
    gradients: false,
  },
];

/** A boolean mask of every broadcast shape. */
export const MASKS: readonly SuiteSpec[] = [
  [11],
  [5, 11],
  [1, 1, 1, 11],
  [2, 1, 1, 11],
  [1, 4, 5, 11],
  [2, 4, 5, 1],
  [2, 4, 5, 11],
].map((shape) => ({
  name: `mask/${shape.join('x')}`,
  shows: 'a mask of inverted polarity, or indexed as if it had its full shape',
  ...NAMED,
  mask: shape,
  gradients: shape.length === 4,
}));

/** Scaled-down shapes and masks of the models LV-XAttn was measured on. */
export const MODELS: readonly SuiteSpec[] = [
  {
    name: 'model/llama-3-v',
    heads: 8,
    kv_heads: 2,
    head_dim: 16,
    head_dim_v: 16,
    scale: 0.25,
    seq_q: 6,
    seq_kv: 32,
    ranks: 4,
  },
  {
    name: 'model/mplug-owl3',
    heads: 7,
    kv_heads: 1,
    head_dim: 16,
    head_dim_v: 16,
    scale: 0.25,
    seq_q: 6,
    seq_kv: 27,
    ranks: 3,
    media: 'previous',
  },
  {
    name: 'model/openflamingo',
    heads: 8,
    kv_heads: 8,
    head_dim: 8,
    head_dim_v: 8,
    seq_q: 8,
    seq_kv: 24,
    ranks: 4,
    media: 'immediate',
  },
  {
    name: 'model/openflamingo-recompute',
    heads: 4,
    kv_heads: 4,
    head_dim: 4,
    head_dim_v: 4,
    seq_q: 6,
    seq_kv: 12,
    ranks: 3,
    media: 'immediate',
    dim_y: 7,
  },
  {
    name: 'model/llama-3-v-recompute',
    heads: 8,
    kv_heads: 2,
    head_dim: 8,
    head_dim_v: 8,
    seq_q: 4,
    seq_kv: 16,
    ranks: 4,
    dim_y: 12,
  },
];

const SIZED: readonly SuiteSpec[] = [
  {
    name: 'size/160-keys',
    heads: 4,
    kv_heads: 2,
    seq_q: 16,
    seq_kv: 160,
    head_dim: 16,
    head_dim_v: 16,
    scale: 0.25,
    ranks: 4,
  },
  {
    name: 'size/341-queries',
    heads: 1,
    kv_heads: 1,
    seq_q: 341,
    seq_kv: 24,
    ranks: 3,
    shows: 'rows past a tile boundary',
  },
  { name: 'size/1000-keys', heads: 2, kv_heads: 1, seq_q: 4, seq_kv: 1000, ranks: 5 },
  {
    name: 'size/4096-keys',
    heads: 1,
    kv_heads: 1,
    seq_q: 3,
    seq_kv: 4096,
    ranks: 4,
    gradients: false,
  },
];

/** What only size shows. */
export const SIZES: readonly SuiteSpec[] = SIZED.map((spec) => ({ ...spec, keeps: EVERYTHING }));
