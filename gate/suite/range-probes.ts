/**
 * Probes for range: where the largest score lies, scores and values of extreme size, and constants
 * added for safety that are not small next to what they are added to.
 * @module
 */
import { all, edit, set } from './edits.ts';
import type { SuiteSpec } from './suite-spec.ts';

const FAR = 'an unstable softmax or merge: exp overflows even float64 above 709';

const far: SuiteSpec[] = [-1000, 1000].flatMap((shift): SuiteSpec[] => {
  const name = `probe/shift-${shift < 0 ? 'minus' : 'plus'}-1000`;
  const common = { shows: FAR, heads: 1, seq_q: 3, seq_kv: 6, bias: [1, 1, 1, 1], shift };
  return [
    { name, ...common, ranks: 2, gradients: false },
    { name: `${name}-gradients`, ...common, ranks: 3 },
  ];
});

/** Scores that differ by `step` from key to key, of either sign, or with their peak in the middle. */
const SLOPES: Readonly<Record<string, (j: number) => number>> = {
  'rises-slowly': (j) => j,
  rises: (j) => 20 * j,
  'rises-fast': (j) => 90 * j,
  falls: (j) => -20 * j,
  'falls-fast': (j) => -90 * j,
  peaks: (j) => -30 * Math.abs(j - 7),
  'dips-below': (j) => 25 * Math.abs(j - 6) - 150,
};

const slopes: SuiteSpec[] = Object.entries(SLOPES).flatMap(([kind, slope]): SuiteSpec[] =>
  [1, 3].map((ranks) => ({
    name: `probe/score-${kind}-${ranks === 1 ? 'one-rank' : `${ranks}-ranks`}`,
    shows: 'a running maximum that is not kept up to date: later or earlier exponentials overflow',
    keeps: ['sizes'],
    heads: 2,
    kv_heads: 1,
    seq_q: 3,
    seq_kv: 14,
    ranks,
    bias: [1, 1, 1, 14],
    // A constant added to a row changes nothing but the LSE.
    adjust: (inputs, p, below) => {
      const drawn = below(8) / 4;
      edit(inputs.bias, p.dtype, ([, , , j = 0]) => slope(j) + drawn);
    },
  })),
);

const TINY =
  'a constant added for safety, or a flush to zero, that is not small next to the values';

/** Powers of two only shift exponents: an honest result keeps all its digits. */
const sizes: SuiteSpec[] = [
  {
    name: 'probe/tiny-values',
    shows: TINY,
    ranks: 2,
    adjust: set('v', (_, old) => old * 2 ** -40),
    dtypes: ['f64', 'f32', 'bf16'],
  },
  {
    name: 'probe/huge-values',
    shows: 'values clipped, or an accumulator of too little range',
    ranks: 2,
    adjust: set('v', (_, old) => old * 2 ** 40),
    dtypes: ['f64', 'f32', 'bf16'],
  },
  {
    name: 'probe/tiny-cotangent',
    shows: TINY,
    ranks: 2,
    adjust: set('d_out', (_, old) => old * 2 ** -40),
    dtypes: ['f64', 'f32', 'bf16'],
  },
  {
    name: 'probe/huge-cotangent',
    shows: 'gradients clipped',
    ranks: 2,
    adjust: set('d_out', (_, old) => old * 2 ** 20),
    dtypes: ['f64', 'f32', 'bf16'],
  },
  {
    name: 'probe/tiny-values-f16',
    shows: TINY,
    ranks: 2,
    adjust: all(
      set('v', (_, old) => old / 64),
      set('d_out', (_, old) => old / 64),
    ),
  },
  {
    name: 'probe/softcap-saturated',
    shows: 'the softcap’s factor where tanh is nearly 1',
    softcap: 0.125,
    scale: 0.5,
    ranks: 2,
  },
  {
    name: 'probe/softcap-wide',
    shows: 'a softcap too wide to matter, dropped altogether',
    softcap: 4,
    scale: 0.25,
  },
  {
    name: 'probe/dropout-most',
    shows: 'the dropout factor 1/(1 − rate) or its rate exchanged',
    dropout_rate: 0.875,
    seq_kv: 16,
    ranks: 2,
  },
  ...[-40, 40].map(
    (sink): SuiteSpec => ({
      name: `probe/sink-${sink < 0 ? 'far-below' : 'far-above'}`,
      shows: 'a sink outside the running maximum',
      sink: true,
      ranks: 3,
      seq_kv: 6,
      adjust: set('sink', (_, old) => sink + old),
    }),
  ),
  {
    name: 'probe/sink-empty-shards',
    shows: 'a sink counted by empty shards, or left out with them',
    sink: true,
    dLse: true,
    batch: 2,
    seq_q: 3,
    seq_kv: 5,
    partition: { ranks: 4, q: [0, 2, 0, 1], kv: [0, 3, 2, 0] },
  },
];

export const RANGE_PROBES: readonly SuiteSpec[] = [...far, ...slopes, ...sizes];
