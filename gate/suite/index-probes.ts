/**
 * Probes for indices: every head, batch entry, rank, row and key holds numbers of its own, so that
 * whatever is read from the wrong place is seen, and sizes around those at which tiles end.
 * @module
 */
import { filled, forEachIndex, zeros } from '../../reference/numbers/tensor.ts';
import { type Adjust, edit, nonZero } from './edits.ts';
import type { SuiteSpec } from './suite-spec.ts';

/** The one key that row i of head h in batch entry b sees. */
const onlyKey = ([b, h, i]: readonly number[], drawn: number, keys: number): number =>
  (7 * (i ?? 0) + 3 * (h ?? 0) + 5 * (b ?? 0) + drawn) % keys;

/**
 * Scores 0, one visible key a row: O is that key's value, dV the sum of dO of those who see it, and
 * everything is a small integer. Whatever index is wrong, the answer is another integer. Where the
 * counting begins is drawn.
 */
const distinct: Adjust = (inputs, p, below) => {
  const [seen, ofK, ofV, ofO] = [below(p.seq_kv), below(5), below(61), below(7)];
  const mask = filled([p.batch, p.heads, p.seq_q, p.seq_kv], 0);
  forEachIndex([p.batch, p.heads, p.seq_q], ([b = 0, h = 0, i = 0]) =>
    mask.set(b, h, i, onlyKey([b, h, i], seen, p.seq_kv), 1),
  );
  inputs.mask = mask;
  inputs.q = zeros(inputs.q?.shape ?? []);
  edit(inputs.k, 'f64', ([b = 0, g = 0, j = 0, c = 0]) => ((j + 2 * g + b + c + ofK) % 5) - 2);
  edit(inputs.v, 'f64', ([b = 0, g = 0, j = 0, c = 0]) => {
    const key = (b * p.kv_heads + g) * p.seq_kv + j;
    return nonZero(c % 2 === 0 ? ((key + ofV) % 127) - 63 : ((5 * key + c + ofV) % 61) - 30);
  });
  edit(inputs.d_out, 'f64', ([b = 0, h = 0, i = 0, c = 0]) => {
    const row = (b * p.heads + h) * p.seq_q + i;
    return nonZero(((3 * row + c + ofO) % 7) - 3);
  });
};

const EXACT = 'any index gone wrong: every place holds a number of its own, and all are exact';

const exact: SuiteSpec[] = [
  { batch: 1, heads: 1, kv_heads: 1, seq_q: 13, seq_kv: 11, ranks: 1 },
  { batch: 3, heads: 6, kv_heads: 3, seq_q: 6, seq_kv: 10, ranks: 1 },
  { batch: 2, heads: 8, kv_heads: 2, seq_q: 7, seq_kv: 9, ranks: 3 },
  { batch: 2, heads: 4, kv_heads: 4, seq_q: 9, seq_kv: 13, ranks: 4 },
  { batch: 5, heads: 2, kv_heads: 1, seq_q: 3, seq_kv: 5, ranks: 2 },
  { batch: 2, heads: 12, kv_heads: 4, seq_q: 5, seq_kv: 6, ranks: 5 },
  { batch: 1, heads: 16, kv_heads: 16, seq_q: 4, seq_kv: 4, ranks: 2 },
  { batch: 1, heads: 2, kv_heads: 2, seq_q: 33, seq_kv: 67, ranks: 2 },
  { batch: 1, heads: 1, kv_heads: 1, seq_q: 36, seq_kv: 40, ranks: 12 },
].flatMap((shape): SuiteSpec[] => {
  const { batch, heads, kv_heads, seq_q, seq_kv, ranks } = shape;
  const name = `exact/places-${batch}x${heads}-${kv_heads}x${seq_q}x${seq_kv}-on-${ranks}`;
  const keeps = ['batch', 'heads', 'sizes'] as const;
  const common = { shows: EXACT, keeps, ...shape, judging: 'exact', adjust: distinct } as const;
  return [
    { ...common, name, gradients: false },
    { ...common, name: `${name}-gradients` },
  ];
});

const uneven: SuiteSpec[] = [
  { q: [1, 0, 6, 2], kv: [0, 8, 1, 3] },
  { q: [0, 9, 0, 0], kv: [0, 0, 12, 0] },
  { q: [3, 3, 3, 0], kv: [1, 1, 0, 10] },
  { q: [0, 0, 0, 9], kv: [12, 0, 0, 0] },
].map((sizes, n) => ({
  name: `exact/places-uneven-${n + 1}`,
  shows: EXACT,
  batch: 2,
  heads: 4,
  kv_heads: 2,
  seq_q: 9,
  seq_kv: 12,
  partition: { ranks: 4, ...sizes },
  judging: 'exact',
  adjust: distinct,
}));

const TILES = 'a tile’s tail: keys or rows past the last whole tile';
const tiles: SuiteSpec[] = [
  ...[15, 16, 17, 63, 64, 127, 129, 257].map(
    (n): SuiteSpec => ({
      name: `shape/keys-${n}-one-rank`,
      shows: TILES,
      keeps: ['sizes'],
      heads: 1,
      seq_q: 2,
      seq_kv: n,
      head_dim: 4,
      head_dim_v: 3,
      gradients: n !== 63 && n !== 127,
    }),
  ),
  ...[63, 65, 127, 129, 200].map(
    (n): SuiteSpec => ({
      name: `shape/queries-${n}-one-rank`,
      shows: TILES,
      keeps: ['sizes'],
      heads: 1,
      seq_q: n,
      seq_kv: 3,
      head_dim: 4,
      head_dim_v: 3,
      gradients: n !== 200,
    }),
  ),
  ...[63, 65, 128, 129, 257].map(
    (d): SuiteSpec => ({
      name: `shape/head-dim-${d}`,
      shows: 'components past the last whole tile',
      heads: 1,
      seq_q: 2,
      seq_kv: 3,
      head_dim: d,
      head_dim_v: d === 128 ? 130 : 3,
      scale: 0.125,
    }),
  ),
];

const broadcasts: SuiteSpec[] = [
  ...(['bias', 'mask'] as const).flatMap((name): SuiteSpec[] =>
    [
      [1, 1, 6, 6],
      [2, 4, 6, 6],
    ].map((shape) => ({
      name: `${name}/square-${shape.join('x')}`,
      shows: `a ${name} read with rows and keys exchanged`,
      keeps: ['batch', 'heads', 'sizes'],
      batch: 2,
      heads: 4,
      kv_heads: 2,
      seq_q: 6,
      seq_kv: 6,
      ranks: 2,
      [name]: shape,
    })),
  ),
  ...[
    [1, 4, 1, 11],
    [2, 4, 1, 11],
    [2, 1, 5, 11],
    [4, 1, 11],
  ].map(
    (mask): SuiteSpec => ({
      name: `mask/${mask.join('x')}`,
      shows: 'a broadcast mask indexed as if it had its full shape',
      keeps: ['batch', 'heads', 'sizes'],
      batch: 2,
      heads: 4,
      kv_heads: 2,
      seq_q: 5,
      seq_kv: 11,
      ranks: 2,
      mask,
    }),
  ),
  ...[[1, 1, 5, 11], [11], [2, 1, 1, 11]].map(
    (shape): SuiteSpec => ({
      name: `dropout/${shape.join('x')}`,
      shows: 'a broadcast dropout mask indexed as if it had its full shape',
      keeps: ['batch', 'heads', 'sizes'],
      batch: 2,
      heads: 4,
      kv_heads: 2,
      seq_q: 5,
      seq_kv: 11,
      ranks: 2,
      dropout_rate: 0.5,
      adjust: (inputs, _, below) => {
        const drawn = below(4);
        inputs.dropout_keep = filled(shape, 0);
        edit(inputs.dropout_keep, 'f64', (at) =>
          Number(at.reduce((n, i) => 3 * n + i, drawn) % 4 !== 1),
        );
      },
    }),
  ),
];

const NARROW = 'a narrow window over ranks: positions taken within a block';
const windows: SuiteSpec[] = [
  ...(['none', 'top-left', 'bottom-right'] as const).flatMap((causal): SuiteSpec[] =>
    [
      [1, 1],
      [0, -1],
      [-1, 0],
      [2, 0],
    ].map(([left = 0, right = 0]) => ({
      name: `probe/window-${left < 0 ? 'all' : left}-${right < 0 ? 'all' : right}-${causal}-ranks`,
      shows: NARROW,
      causal,
      window: [left, right],
      seq_q: 7,
      seq_kv: 10,
      ranks: 3,
    })),
  ),
  {
    name: 'probe/window-more-queries',
    shows: NARROW,
    causal: 'bottom-right',
    window: [1, 1],
    seq_q: 9,
    seq_kv: 5,
    ranks: 2,
  },
  {
    name: 'probe/causal-uneven-ranks',
    shows: 'positions computed from an even split',
    causal: 'top-left',
    seq_q: 9,
    seq_kv: 10,
    partition: { ranks: 3, q: [1, 6, 2], kv: [5, 1, 4] },
  },
];

const lengths: SuiteSpec[] = [
  {
    name: 'probe/lengths-at-shard-ends',
    shows: 'lengths that end where a shard ends',
    keeps: ['sizes'],
    batch: 4,
    seq_kv: 12,
    ranks: 3,
    lengths: [4, 8, 12, 5],
  },
  {
    name: 'probe/lengths-one',
    shows: 'sequences of one key',
    batch: 3,
    seq_kv: 6,
    ranks: 2,
    lengths: [1, 6, 1],
  },
  {
    name: 'probe/media-large-numbers',
    shows: 'image numbers kept in a byte',
    batch: 2,
    media: 'immediate',
    seq_q: 6,
    seq_kv: 8,
    adjust: (inputs, _, below) => {
      const [text, key] = [below(3), below(3)];
      edit(inputs.media_text, 'f64', ([b = 0, i = 0]) => 1 + 256 * ((i + b + text) % 3));
      edit(inputs.media_key, 'f64', ([, j = 0]) => 1 + 256 * ((j + key) % 3));
    },
    dtypes: ['f64', 'f32'],
  },
];

export const INDEX_PROBES: readonly SuiteSpec[] = [
  ...exact,
  ...uneven,
  ...tiles,
  ...broadcasts,
  ...windows,
  ...lengths,
];
