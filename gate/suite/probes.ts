/**
 * Probes: each built so that a known class of fault moves the answer far outside the bound.
 *
 * Faults shrink as keys are added while the bound grows, so probes are small.
 * @module
 */
import { filled, forEachIndex, zeros } from '../../reference/numbers/tensor.ts';
import { ANCHORED_PROBES } from './anchored-probes.ts';
import { type Adjust, all, edit, nonZero, permutation, rankOf, set } from './edits.ts';
import { INDEX_PROBES } from './index-probes.ts';
import { PRECISION_PROBES } from './precision-probes.ts';
import { RANGE_PROBES } from './range-probes.ts';
import { STATE_PROBES } from './state-probes.ts';
import type { SuiteSpec } from './suite-spec.ts';

const SHIFT =
  'an unstable softmax or merge: a constant added to a row must change nothing but the LSE';
const PHANTOM = 'LSE started at 0 instead of −∞: a phantom key with score 0 and value 0';

const shifts: SuiteSpec[] = [-300, -100, 100, 300].flatMap((shift): SuiteSpec[] => {
  const sign = shift < 0 ? 'minus' : 'plus';
  const name = `probe/shift-${sign}-${Math.abs(shift)}`;
  const shows = shift < 0 ? PHANTOM : SHIFT;
  const common = { shows, heads: 2, seq_q: 4, seq_kv: 8, bias: [1, 1, 1, 1], shift };
  return [
    { name: `${name}-one-rank`, ...common, gradients: false },
    { name, ...common, ranks: 2, gradients: false },
    { name: `${name}-gradients`, ...common, ranks: 4 },
  ];
});

/** Scores moved by the keys themselves: the first component of q is 1, of k the shift/scale. */
const keyShift = (shift: number): Adjust =>
  all(
    set('q', ([, , , c], old) => (c === 0 ? 1 : old)),
    set('k', ([, , , c], old) => (c === 0 ? shift * 2 : old / 4)),
  );

/** Scores of hundreds made by q·k: with bf16 operands scaled and rounded they bound nothing. */
const NOT_BF16 = ['f64', 'f32', 'f16'] as const;

const phantom: SuiteSpec[] = [
  { name: 'probe/phantom-key-few-keys', shows: PHANTOM, seq_q: 2, seq_kv: 2, gradients: false },
  {
    name: 'probe/phantom-key-two-ranks',
    shows: PHANTOM,
    seq_q: 2,
    seq_kv: 4,
    ranks: 2,
    gradients: false,
  },
  { name: 'probe/phantom-key-gradients', shows: PHANTOM, seq_q: 4, seq_kv: 4, ranks: 2 },
  {
    name: 'probe/keys-far-below-zero',
    dtypes: NOT_BF16,
    shows: PHANTOM,
    heads: 2,
    scale: 0.5,
    ranks: 2,
    adjust: keyShift(-120),
  },
  {
    name: 'probe/keys-far-above-zero',
    dtypes: NOT_BF16,
    shows: SHIFT,
    heads: 2,
    scale: 0.5,
    ranks: 3,
    adjust: keyShift(120),
  },
  {
    name: 'probe/lse-above-89',
    dtypes: NOT_BF16,
    shows: 'exp(LSE) taken without subtracting a maximum overflows f32 above 88',
    scale: 0.5,
    ranks: 2,
    seq_kv: 8,
    adjust: keyShift(90),
    gradients: false,
  },
  {
    name: 'probe/negative-lse-one-query',
    shows: 'a backward pass that breaks for one query with strongly negative LSE',
    seq_q: 1,
    seq_kv: 7,
    bias: [1, 1, 1, 1],
    shift: -200,
  },
];

/** Rank r's keys score r·20 more than rank 0's, or one rank dominates all others. */
const dominating =
  (rank: number, by: number): Adjust =>
  (inputs, p) => {
    edit(
      inputs.bias,
      p.dtype,
      ([, , , j = 0], old) => old + (rankOf(p.partition.kv, j) === rank ? by : 0),
    );
  };

/** One shard, which is drawn, has some e¹¹ of the others' mass, and they have values 64 times as large. */
const oneOutweighs: Adjust = (inputs, p, below) => {
  const heavy = below(p.partition.ranks);
  const isHeavy = (j: number): boolean => rankOf(p.partition.kv, j) === heavy;
  edit(inputs.bias, p.dtype, ([, , , j = 0]) => (isHeavy(j) ? 11 : 0));
  edit(inputs.v, p.dtype, ([, , j = 0], old) => (isHeavy(j) ? old : 64 * old));
};

/** One key, drawn, weighs some 2¹⁸ times what each of the others does, whose values are large. */
const oneKeyOutweighs: Adjust = (inputs, p, below) => {
  const heavy = below(p.seq_kv);
  edit(inputs.bias, p.dtype, ([, , , j = 0]) => (j === heavy ? 13 : 0));
  edit(inputs.v, p.dtype, ([, , j = 0], old) => (j === heavy ? old : 64 * nonZero(old)));
};

const shards: SuiteSpec[] = [
  ...[0, 1, 2].map(
    (rank): SuiteSpec => ({
      name: `probe/shard-${rank}-dominates`,
      shows: 'a one-sided or base-2 merge: partial results of very unequal mass',
      seq_q: 3,
      seq_kv: 9,
      ranks: 3,
      bias: [1, 1, 1, 9],
      adjust: dominating(rank, 95),
    }),
  ),
  ...[0, 1, 2].map(
    (rank): SuiteSpec => ({
      name: `probe/shard-${rank}-weighs-more`,
      shows: 'a base-2 LSE merged with base e: shards of unequal mass get the wrong shares',
      seq_q: 3,
      seq_kv: 9,
      ranks: 3,
      bias: [1, 1, 1, 9],
      adjust: dominating(rank, 3),
      gradients: false,
    }),
  ),
  {
    name: 'probe/shards-weigh-little',
    shows: 'small weights of a merge flushed to zero, or a merge that drops the lighter side',
    seq_q: 3,
    seq_kv: 9,
    ranks: 3,
    bias: [1, 1, 1, 9],
    adjust: oneOutweighs,
  },
  {
    name: 'probe/keys-weigh-little',
    shows: 'small weights flushed to zero, though their values are large',
    seq_q: 3,
    seq_kv: 16,
    bias: [1, 1, 1, 16],
    adjust: oneKeyOutweighs,
  },
  ...[0, 1, 2].map(
    (rank): SuiteSpec => ({
      name: `probe/shard-${rank}-masked-for-some-rows`,
      shows: 'a shard that is fully masked for a row gives NaN, or poisons the merge',
      seq_q: 3,
      seq_kv: 9,
      ranks: 3,
      mask: [1, 1, 3, 9],
      adjust: (inputs, p, below) => {
        const whole = below(p.seq_q);
        edit(inputs.mask, 'f64', ([, , i = 0, j = 0]) =>
          i !== whole && rankOf(p.partition.kv, j) === rank ? 0 : 1,
        );
      },
    }),
  ),
  {
    name: 'probe/only-last-shard-visible',
    shows: 'a merge of two empty partial results: NaN in place of the identity',
    seq_q: 4,
    seq_kv: 8,
    ranks: 4,
    mask: [8],
    adjust: (inputs, p) =>
      edit(inputs.mask, 'f64', ([j = 0]) => Number(rankOf(p.partition.kv, j) === 3)),
  },
  {
    name: 'probe/some-rows-empty',
    shows:
      'a fully masked row: its O and gradients are 0, its LSE −∞, and other rows are untouched',
    seq_q: 4,
    seq_kv: 8,
    ranks: 2,
    mask: [4, 1],
    adjust: (inputs, p, below) => {
      // Not the first: an empty row that is never written may hold the one before it.
      const empty = 1 + below(p.seq_q - 1);
      edit(inputs.mask, 'f64', ([i]) => (i === empty ? 0 : 1));
    },
  },
  {
    name: 'probe/all-rows-empty',
    shows: 'rows without keys',
    seq_q: 3,
    seq_kv: 6,
    ranks: 3,
    mask: [6],
    adjust: set('mask', () => 0),
    judging: 'exact',
  },
  {
    name: 'probe/all-rows-empty-but-a-sink',
    shows: 'a sink on an empty row: LSE = sink, O = 0',
    seq_q: 3,
    seq_kv: 6,
    ranks: 2,
    sink: true,
    mask: [6],
    adjust: set('mask', () => 0),
  },
];

/** V and q tell which rank and row they belong to; which rank has which number is drawn. */
const tagged: Adjust = all(
  (inputs, p, below) => {
    const tags = permutation(p.partition.ranks, below);
    edit(
      inputs.v,
      p.dtype,
      ([, , j = 0, c = 0]) => 4 * ((tags[rankOf(p.partition.kv, j)] ?? 0) + 1) + c / 4,
    );
  },
  (inputs, p) =>
    edit(inputs.q, p.dtype, ([, , i = 0], old) => old / 4 + rankOf(p.partition.q, i) / 2),
);

const ring: SuiteSpec[] = [2, 3, 5, 7].flatMap((ranks): SuiteSpec[] => [
  {
    name: `probe/rank-tags-${ranks}`,
    shows: 'an odd ring returns the wrong buffer: results rotated by one rank',
    seq_q: 2 * ranks,
    seq_kv: 2 * ranks,
    ranks,
    adjust: tagged,
    judging: 'structured',
    gradients: false,
  },
  {
    name: `probe/rank-tags-${ranks}-gradients`,
    shows: 'an odd ring returns the wrong buffer: gradients rotated by one rank',
    seq_q: ranks,
    seq_kv: 3 * ranks,
    ranks,
    adjust: tagged,
    judging: 'structured',
  },
]);

/** Every KV head of every batch entry has a power of two of its own; which one is drawn. */
const headConstants: Adjust = (inputs, p, below) => {
  const powers = permutation(p.batch * p.kv_heads, below);
  edit(
    inputs.v,
    p.dtype,
    ([b = 0, g = 0, , c = 0]) => 2 ** (powers[b * p.kv_heads + g] ?? 0) + c / 8,
  );
};

const heads: SuiteSpec[] = [
  {
    name: 'probe/head-constants-groups-of-two',
    shows: 'the wrong KV head: heads tiled [0,1,2,0,1,2] instead of grouped [0,0,1,1,2,2]',
    heads: 6,
    kv_heads: 3,
    judging: 'structured',
    gradients: false,
    adjust: headConstants,
  },
  {
    name: 'probe/head-constants-groups-of-three',
    shows: 'the wrong KV head: heads tiled [0,1,0,1,0,1] instead of grouped [0,0,0,1,1,1]',
    heads: 6,
    kv_heads: 2,
    batch: 2,
    judging: 'structured',
    adjust: headConstants,
  },
  {
    name: 'probe/group-gradients',
    shows: 'dK and dV not summed over the query heads of a group',
    heads: 8,
    kv_heads: 2,
    ranks: 2,
    seq_q: 4,
    seq_kv: 6,
  },
  {
    name: 'probe/group-gradients-one-kv-head',
    shows: 'dK and dV not summed over the query heads of a group',
    heads: 5,
    kv_heads: 1,
    ranks: 3,
    seq_q: 3,
    seq_kv: 6,
  },
];

/** Some rows before the first image, some after it, some after the second; how many is drawn. */
const textBetweenImages: Adjust = (inputs, p, below) => {
  const first = 1 + below(p.seq_q - 2);
  const second = first + 1 + below(p.seq_q - first - 1);
  edit(inputs.media_text, 'f64', ([, i = 0]) => Number(i >= first) + Number(i >= second));
};

const masks: SuiteSpec[] = [
  ...(['top-left', 'bottom-right'] as const).flatMap((causal): SuiteSpec[] => [
    {
      name: `probe/causal-${causal}-ranks`,
      shows: 'a causal mask on indices local to a pair of blocks',
      causal,
      seq_q: 8,
      seq_kv: 8,
      ranks: 4,
      gradients: false,
    },
    {
      name: `probe/causal-${causal}-ranks-gradients`,
      shows: 'a causal mask on indices local to a pair of blocks',
      causal,
      seq_q: 6,
      seq_kv: 9,
      ranks: 3,
    },
    {
      name: `probe/causal-${causal}-more-keys`,
      shows: 'causal alignment: top-left and bottom-right mixed up',
      causal,
      seq_q: 3,
      seq_kv: 9,
      gradients: false,
    },
    {
      name: `probe/causal-${causal}-more-queries`,
      shows: 'causal alignment where early rows may be empty',
      causal,
      seq_q: 9,
      seq_kv: 3,
      gradients: false,
    },
    {
      name: `probe/causal-${causal}-more-queries-gradients`,
      shows: 'causal alignment where early rows may be empty',
      causal,
      seq_q: 9,
      seq_kv: 4,
      ranks: 2,
    },
    {
      name: `probe/window-${causal}`,
      shows: 'a window aligned otherwise than the causal mask',
      causal,
      window: [2, 0],
      seq_q: 5,
      seq_kv: 8,
    },
  ]),
  {
    name: 'probe/window-left',
    shows: 'a window off by one',
    window: [1, -1],
    seq_q: 6,
    seq_kv: 7,
    gradients: false,
  },
  {
    name: 'probe/window-right',
    shows: 'a window off by one',
    window: [-1, 1],
    seq_q: 6,
    seq_kv: 7,
    gradients: false,
  },
  {
    name: 'probe/window-itself',
    shows: 'a window off by one',
    window: [0, 0],
    seq_q: 6,
    seq_kv: 6,
    ranks: 2,
  },
  {
    name: 'probe/lengths-with-zero',
    shows: 'a zero-length sequence: unwritten gradients must be exact zeros',
    batch: 3,
    lengths: [0, 5, 9],
    ranks: 3,
  },
  {
    name: 'probe/lengths-and-more-queries',
    shows: 'lengths of keys applied to queries',
    batch: 2,
    seq_q: 8,
    seq_kv: 4,
    lengths: [3, 1],
  },
  {
    name: 'probe/media-before-first-image',
    shows: 'text before the first image attends to something',
    media: 'immediate',
    seq_q: 6,
    seq_kv: 9,
    ranks: 3,
    adjust: textBetweenImages,
  },
  {
    name: 'probe/media-previous-before-first-image',
    shows: 'text before the first image attends to something',
    media: 'previous',
    seq_q: 6,
    seq_kv: 9,
    ranks: 3,
    adjust: textBetweenImages,
  },
  {
    name: 'probe/finite-sentinel',
    shows: 'a finite number in place of −∞: scores below −10⁴ lose to masked keys',
    seq_q: 3,
    seq_kv: 8,
    mask: [8],
    bias: [1, 1, 1, 1],
    shift: -20000,
    gradients: false,
    dtypes: ['f64', 'f32'],
  },
];

/** NaN and infinities wherever nobody attends. */
const poison =
  (hidden: (j: number) => boolean): Adjust =>
  (inputs) => {
    for (const name of ['k', 'v'] as const) {
      const tensor = inputs[name];
      if (tensor === undefined) continue;
      const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      forEachIndex(tensor.shape, (at) => {
        if (hidden(at[2] ?? 0)) tensor.set(...at, values[(at[2] ?? 0) % 3] ?? 0);
      });
    }
  };

/** A mask by which some keys are hidden from all, and the poison in them; which ones is drawn. */
const masked =
  (hidden: (j: number, drawn: number) => boolean, choices: number): Adjust =>
  (inputs, p, below) => {
    const drawn = below(choices);
    edit(inputs.mask, 'f64', ([j = 0]) => (hidden(j, drawn) ? 0 : 1));
    poison((j) => hidden(j, drawn))(inputs, p, below);
  };

const POISON = 'a masked key is multiplied by zero instead of left out: its NaN leaks';
const poisoned: SuiteSpec[] = [
  {
    name: 'poison/mask',
    shows: POISON,
    seq_kv: 9,
    mask: [9],
    adjust: masked((j, drawn) => j % 3 === drawn, 3),
    gradients: false,
  },
  {
    name: 'poison/mask-gradients',
    shows: POISON,
    seq_kv: 9,
    ranks: 3,
    mask: [9],
    adjust: masked((j, drawn) => j % 3 === drawn, 3),
  },
  {
    name: 'poison/lengths',
    shows: POISON,
    keeps: ['sizes'],
    batch: 2,
    seq_kv: 9,
    lengths: [5, 6],
    adjust: poison((j) => j >= 6),
    ranks: 2,
  },
  {
    name: 'poison/causal',
    shows: POISON,
    keeps: ['sizes'],
    causal: 'top-left',
    seq_q: 4,
    seq_kv: 9,
    adjust: poison((j) => j >= 4),
  },
  {
    name: 'poison/gqa',
    shows: POISON,
    heads: 4,
    kv_heads: 2,
    seq_kv: 9,
    mask: [9],
    adjust: masked((j, drawn) => j === drawn || j === drawn + 1, 8),
  },
];

const numerics: SuiteSpec[] = [
  {
    name: 'probe/large-scores-small-scale',
    shows: 'q·k overflows f16 when the scale is applied afterwards',
    head_dim: 16,
    scale: 0.000030517578125,
    adjust: all(
      set('q', (_, old) => 90 * old),
      set('k', (_, old) => 90 * old),
    ),
  },
  {
    name: 'probe/one-signed-values',
    keeps: ['sizes'],
    shows: 'an accumulator too narrow for many equal weights',
    seq_q: 2,
    seq_kv: 2000,
    scale: 0,
    adjust: set('v', (_, old) => 1 + Math.abs(old)),
    gradients: false,
  },
  {
    name: 'probe/uniform-instead-of-softmax',
    shows: 'P replaced by a uniform distribution',
    scale: 1,
    seq_kv: 6,
    gradients: false,
  },
  {
    name: 'probe/peaked',
    shows: 'probabilities rounded or flushed',
    scale: 1,
    head_dim: 16,
    seq_kv: 12,
  },
  {
    name: 'probe/lse-in-half-precision',
    shows: 'the LSE kept in a half format between forward and backward',
    bias: [1, 1, 1, 1],
    shift: 30,
    ranks: 2,
  },
  {
    name: 'probe/many-partials',
    shows: 'partial results rounded to a half format at every step',
    ranks: 7,
    seq_q: 7,
    seq_kv: 14,
  },
  {
    name: 'probe/scale-zero',
    shows: 'scale 0 taken for "no scale given"',
    scale: 0,
    seq_kv: 8,
    ranks: 2,
  },
  {
    name: 'probe/scale-one',
    shows: 'the default scale used in place of the one given',
    scale: 1,
    head_dim: 4,
    gradients: false,
  },
  { name: 'probe/scale-negative', shows: 'the sign of the scale lost', scale: -0.5, ranks: 2 },
  {
    name: 'probe/softcap-strong',
    shows: 'the softcap’s factor 1 − tanh² dropped from the gradient',
    softcap: 0.5,
    scale: 0.5,
  },
  {
    name: 'probe/softcap-then-bias',
    shows: 'the bias added before the softcap',
    softcap: 1,
    bias: [1, 2, 4, 9],
  },
  {
    name: 'probe/softcap-masked',
    shows: 'the softcap applied after the mask',
    softcap: 2,
    mask: [1, 1, 4, 9],
    gradients: false,
  },
  {
    name: 'probe/sink-several-ranks',
    shows: 'the sink counted once per rank',
    sink: true,
    ranks: 5,
    seq_q: 5,
    seq_kv: 10,
  },
  {
    name: 'probe/sink-strong',
    shows: 'the sink left out of the denominator',
    sink: true,
    gradients: false,
    adjust: set('sink', (_, old) => 4 + old),
  },
  {
    name: 'probe/dropout-everything',
    shows: 'D computed without dropout, or the LSE with it',
    dropout_rate: 0.5,
    ranks: 2,
  },
  {
    name: 'probe/dropout-and-dlse',
    shows: 'dropout applied to the cotangent of the LSE',
    dropout_rate: 0.5,
    dLse: true,
  },
  {
    name: 'probe/dlse-ignored',
    shows: 'the cotangent of the LSE ignored',
    dLse: true,
    ranks: 3,
    adjust: set('d_lse', (_, old) => 3 * old),
  },
  {
    name: 'probe/large-cotangent',
    shows: 'dP − D cancels: D from other values than dP',
    adjust: set('d_out', (_, old) => 8 + old),
  },
  {
    name: 'probe/zero-cotangent',
    shows: 'gradients of something else than the loss',
    adjust: set('d_out', () => 0),
    judging: 'structured',
  },
  {
    name: 'probe/bias-per-batch',
    shows: 'one batch entry reads another’s bias',
    batch: 3,
    bias: [3, 1, 1, 9],
    adjust: set('bias', ([b = 0], old) => old + 2 * b),
  },
  {
    name: 'probe/equal-keys',
    shows: 'ties broken: equal keys must share equally',
    judging: 'structured',
    adjust: (inputs, p) =>
      edit(inputs.k, p.dtype, ([b = 0, g = 0, , c = 0]) => inputs.k?.get(b, g, 0, c) ?? 0),
  },
  {
    name: 'probe/recompute-gradients',
    shows: 'recomputation returns no gradient for features and weights',
    dim_y: 5,
    ranks: 3,
    seq_q: 3,
    seq_kv: 9,
  },
  {
    name: 'probe/recompute-groups',
    shows: 'gradients of W_K and W_V mixed up between heads',
    dim_y: 4,
    heads: 4,
    kv_heads: 2,
    ranks: 2,
  },
  {
    name: 'probe/recompute-forward',
    shows: 'columns of W_K read in another order than head-major',
    dim_y: 4,
    heads: 4,
    kv_heads: 2,
    gradients: false,
  },
];

/** One visible key a row, every score 0, small integers: every step is exact in every format. */
const oneHot =
  (visible: (i: number) => number): Adjust =>
  (inputs, p, below) => {
    const [key, ofK, ofV, ofO] = [below(p.seq_kv), below(3), below(7), below(5)];
    inputs.mask = filled([1, 1, p.seq_q, p.seq_kv], 0);
    forEachIndex([p.seq_q], ([i = 0]) =>
      inputs.mask?.set(0, 0, i, (visible(i) + key) % p.seq_kv, 1),
    );
    inputs.q = zeros(inputs.q?.shape ?? []);
    edit(inputs.k, 'f64', ([, , j = 0, c = 0]) => ((j + c + ofK) % 3) - 1);
    edit(inputs.v, 'f64', ([, g = 0, j = 0, c = 0]) => nonZero(((3 * j + c + g + ofV) % 7) - 3));
    edit(inputs.d_out, 'f64', ([, h = 0, i = 0, c = 0]) =>
      nonZero(((h + 2 * i + c + ofO) % 5) - 2),
    );
  };

const EXACT = 'any deviation at all: the answer is exact in every format';
const exact: SuiteSpec[] = [
  {
    name: 'exact/one-hot',
    shows: EXACT,
    seq_q: 4,
    seq_kv: 9,
    adjust: oneHot((i) => (5 * i + 2) % 9),
    judging: 'exact',
    gradients: false,
  },
  {
    name: 'exact/one-hot-gradients',
    shows: EXACT,
    seq_q: 4,
    seq_kv: 9,
    adjust: oneHot((i) => (5 * i + 2) % 9),
    judging: 'exact',
  },
  {
    name: 'exact/one-hot-ranks',
    shows: EXACT,
    seq_q: 6,
    seq_kv: 9,
    ranks: 3,
    adjust: oneHot((i) => (4 * i + 1) % 9),
    judging: 'exact',
  },
  {
    name: 'exact/one-hot-groups',
    shows: EXACT,
    heads: 6,
    kv_heads: 2,
    seq_q: 4,
    seq_kv: 5,
    adjust: oneHot((i) => (2 * i + 1) % 5),
    judging: 'exact',
  },
  {
    name: 'exact/one-hot-dropout',
    shows: EXACT,
    seq_q: 4,
    seq_kv: 5,
    dropout_rate: 0.5,
    judging: 'exact',
    adjust: all(
      oneHot((i) => i),
      (inputs, _, below) => {
        const kept = below(2);
        edit(inputs.dropout_keep, 'f64', ([, , i = 0]) => (i + kept) % 2);
      },
    ),
  },
];

/** Every probe. */
export const PROBES: readonly SuiteSpec[] = [
  ...phantom,
  ...shifts,
  ...shards,
  ...ring,
  ...heads,
  ...masks,
  ...numerics,
  ...exact,
  ...poisoned,
  ...INDEX_PROBES,
  ...RANGE_PROBES,
  ...PRECISION_PROBES,
  ...ANCHORED_PROBES,
  ...STATE_PROBES,
];
