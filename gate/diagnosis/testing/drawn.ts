/**
 * Fifty faults of the zoo, drawn with a seed from those at float32 that some case shows, without those of
 * flaws.ts and those that remember calls or recompute K and V; written anew from what their sentences say,
 * for the outside implementation. The diagnosis was not made with them.
 * @module
 */

import { exp, log } from '../../../reference/numbers/float64.ts';
import { roundTo } from '../../../reference/numbers/format.ts';
import { type Flaw, finishing, having, seen } from './flaws.ts';
import {
  type Arrays,
  type Attended,
  type Problem,
  RIGHT,
  type Scores,
  weighted,
} from './outside.ts';

const NEVER = Number.NEGATIVE_INFINITY;
const f32 = Math.fround;

/** Where a rank's rows or keys start. */
const startOf = (sizes: readonly number[], rank: number): number =>
  sizes.slice(0, rank).reduce((a, b) => a + b, 0);

/** Every element of an output replaced, by its row-major place. */
const replacing = (
  outputs: Arrays,
  name: keyof Arrays,
  change: (value: number, n: number, all: Float64Array) => number,
): void => {
  const before = outputs[name] ?? new Float64Array(0);
  outputs[name] = before.map((value, n) => change(value, n, before));
};

/** Row-major place of a component of `out`, and the row and head that it is of. */
function outPlace({ p }: Problem, n: number): { i: number; place: (i: number) => number } {
  const width = p.head_dim_v;
  const i = Math.floor(n / width) % p.seq_q;
  return { i, place: (row) => n + (row - i) * width };
}

/** Exponentials in float32 below a maximum of one's own, in float32 sums. */
function shifted(
  scores: Scores,
  sink: number | null,
  maximum: (all: readonly number[]) => number,
  round: { power?: (e: number) => number; sum?: (s: number) => number } = {},
): { lse: number; powers: number[]; sum: number } {
  const { power = f32, sum: add = f32 } = round;
  const top = maximum([...scores.filter((s) => s !== null), ...(sink === null ? [] : [sink])]);
  const powers = scores.map((s) => (s === null ? 0 : power(exp(s - top))));
  const start = sink === null ? 0 : power(exp(sink - top));
  const sum = powers.reduce((a, b) => add(a + b), start);
  return { lse: top + log(sum), powers, sum };
}

const largest = (all: readonly number[]): number => Math.max(...all);

const softmaxBy = (
  ...[maximum, round]: [Parameters<typeof shifted>[2], Parameters<typeof shifted>[3]?]
): Flaw => ({
  softmax: (_x, scores, sink) => {
    const { lse, powers, sum } = shifted(scores, sink, maximum, round);
    if (sum === 0) return { lse: NEVER, weights: powers };
    return { lse, weights: powers.map((e) => f32(e / sum)) };
  },
});

const lseRounded = (format: 'f16' | 'bf16'): Flaw => ({
  softmax: (x, scores, sink) => {
    const { lse, weights } = RIGHT.softmax(x, scores, sink);
    return { lse: roundTo(format, lse), weights };
  },
});

const scoreRounded = (format: 'tf32' | 'bf16'): Flaw => ({
  score: (x, scaled, at, pass) => roundTo(format, RIGHT.score(x, scaled, at, pass)),
});

/** A ring: partial results shard by shard, from the row's own rank on, the sink before them. */
const ring = (merge: (a: Attended, b: Attended) => Attended): Flaw => ({
  attend: (x, row, scores, sink) => {
    const { ranks } = x.p.partition;
    const none = Array.from({ length: x.p.head_dim_v }, () => 0);
    let state: Attended = { lse: NEVER, out: none };
    if (sink !== null) state = merge(state, { lse: sink, out: none });
    for (let step = 0; step < ranks; step++) {
      const source = (x.rowRank(row.i) + step) % ranks;
      const own = scores.map((s, j) => (x.keyRank(j) === source ? s : null));
      const empty = own.every((s) => s === null);
      const { lse, weights } = empty ? { lse: NEVER, weights: [] } : RIGHT.softmax(x, own, null);
      state = merge(state, { lse, out: empty ? none : weighted(x, row, own, weights) });
    }
    return state;
  },
});

/** O weighted by e^(LSE − the merged LSE). */
function merged(a: Attended, b: Attended, old?: (lse: number) => number): Attended {
  if (a.lse === NEVER) return b;
  if (b.lse === NEVER) return a;
  const top = Math.max(a.lse, b.lse);
  const lse = top + log(exp(a.lse - top) + exp(b.lse - top));
  const [wA, wB] = [exp((old?.(lse) ?? a.lse) - lse), exp(b.lse - lse)];
  return { lse, out: a.out.map((value, c) => wA * value + wB * (b.out[c] ?? 0)) };
}

const clamped = ({ lse, out }: Attended): Attended => ({
  lse: lse === NEVER ? lse : Math.max(-88, Math.min(88, lse)),
  out,
});

/** Of an input as if it had its full shape. */
function fullIndex(
  x: Problem,
  name: 'bias' | 'dropout_keep',
  [b, h, i, j]: readonly [number, number, number, number],
): number {
  const shape = x.c.inputs[name]?.shape ?? [];
  const size = shape.reduce((product, extent) => product * extent, 1);
  let place = (((b * x.p.heads + h) * x.p.seq_q + i) * x.p.seq_kv + j) % size;
  const index: number[] = [];
  for (const extent of [...shape].reverse()) {
    index.unshift(place % extent);
    place = Math.floor(place / extent);
  }
  return x.input(name, ...index);
}

/** Keys after the last whole tile of a longer shard are left out. */
const tailDropped = (tile: number): Flaw => ({
  sees: (x, at, pass) => {
    const { kv } = x.p.partition;
    const rank = x.keyRank(at.j);
    const size = kv[rank] ?? 0;
    const kept = size > tile ? size - (size % tile) : size;
    return at.j - startOf(kv, rank) < kept && RIGHT.sees(x, at, pass);
  },
});

const media = seen((c) => (c.parameters.media === null ? c : having({ media: 'previous' })(c)));
const withoutCausal = seen(having({ causal: 'none', window: null }));
const causalAlone = seen((c) => ({
  ...c,
  inputs: {},
  parameters: { ...c.parameters, media: null },
}));

export const DRAWN: Readonly<Record<string, Flaw>> = {
  'zigzag-not-undone': {
    finish: (x, outputs) => {
      if (x.p.partition.ranks < 2) return;
      replacing(outputs, 'out', (_v, n, all) => {
        const { i, place } = outPlace(x, n);
        return all[place(x.p.seq_q - 1 - i)] ?? 0;
      });
    },
  },
  'sum-in-bf16': softmaxBy(largest, { sum: (s) => roundTo('bf16', s) }),
  'value-components-past-16': {
    finish: (x, outputs) => replacing(outputs, 'out', (v, n) => (n % x.p.head_dim_v < 16 ? v : 0)),
  },
  'delta-in-bf16': { delta: (_x, _at, dot, dLse) => roundTo('bf16', dLse - dot) },
  'lse-in-f16': lseRounded('f16'),
  'sink-of-kv-head': {
    sink: (x, h) =>
      x.c.inputs.sink === undefined ? null : x.input('sink', RIGHT.kvHead(x, h, 'forward')),
  },
  'own-shard-twice-last-rank': {
    counts: (x, { i }, name) => {
      const last = x.p.partition.ranks - 1;
      return name === 'd_k' && last > 0 && x.rowRank(i) === last ? 2 : 1;
    },
  },
  'bias-local-rows': {
    bias: (x, at) => RIGHT.bias(x, { ...at, i: at.i - startOf(x.p.partition.q, x.rowRank(at.i)) }),
  },
  'exponential-in-f16': {
    ...softmaxBy(largest, { power: (e) => roundTo('f16', e) }),
    probability: (_x, s, lse) => roundTo('f16', exp(s - lse)),
  },
  'masked-key-gradient-garbage': {
    finish: (x, outputs) => {
      if (x.c.inputs.mask === undefined) return;
      replacing(outputs, 'd_v', (v, n) => (v === 0 ? 0.37 + (n % 5) : v));
    },
  },
  'gradient-in-tf32': {
    accumulated: (_x, sum, name) => (name.startsWith('d_') ? roundTo('tf32', sum) : sum),
  },
  'maximum-missing': softmaxBy(() => 0),
  'lse-in-bf16': lseRounded('bf16'),
  'merge-lse-updated-first': ring((a, b) => merged(a, b, (lse) => lse)),
  'sink-not-in-lse': {
    handedLse: (x, lse, scores) => {
      if (x.c.inputs.sink === undefined) return lse;
      return scores.every((s) => s === null) ? NEVER : RIGHT.softmax(x, scores, null).lse;
    },
  },
  'last-hop-missing-odd': {
    sees: (x, at, pass) => {
      const { ranks } = x.p.partition;
      const last = (x.rowRank(at.i) + ranks - 1) % ranks;
      const short = ranks > 1 && ranks % 2 === 1;
      return !(short && x.keyRank(at.j) === last) && RIGHT.sees(x, at, pass);
    },
  },
  'output-flushed': {
    finish: (_x, outputs) => {
      for (const name of Object.keys(outputs) as (keyof Arrays)[]) {
        if (name !== 'lse') replacing(outputs, name, (v) => (Math.abs(v) < 1e-3 ? 0 : v));
      }
    },
  },
  'score-in-tf32': scoreRounded('tf32'),
  'partial-in-f16': ring((a, b) => {
    const half = (one: Attended): Attended => ({
      ...one,
      out: one.out.map((v) => roundTo('f16', v)),
    });
    return half(merged(a, half(b)));
  }),
  'lse-empty-plus-infinity': {
    handedLse: (_x, lse) => (lse === NEVER ? Number.POSITIVE_INFINITY : lse),
  },
  'loop-ends-at-1000': {
    sees: (x, at, pass) =>
      at.j - startOf(x.p.partition.kv, x.keyRank(at.j)) < 1000 && RIGHT.sees(x, at, pass),
  },
  'dscore-squared-probability': { dScore: (_x, p, g, delta) => p * p * (g + delta) },
  'unshifted-merge': ring((a, b) => {
    const [eA, eB] = [f32(exp(a.lse)), f32(exp(b.lse))];
    const sum = f32(eA + eB);
    const out = a.out.map((value, c) => (eA * value + eB * (b.out[c] ?? 0)) / sum);
    return { lse: log(sum), out };
  }),
  'scale-twice-backward': finishing('d_q', (x) => x.p.scale),
  'media-immediate-is-previous': media,
  'merge-lse-clamped': ring((a, b) => merged(clamped(a), clamped(b))),
  'dscore-small-dropped': { dScore: (_x, p, g, delta) => (p < 1e-3 ? 0 : p * (g + delta)) },
  'dropout-missing-in-dp': { dProbability: (_x, _kappa, sum) => sum },
  'poison-times-zero': { masked: () => NEVER },
  'dropout-full-index': {
    kappa: (x, { b, h, i, j }) => {
      if (x.c.inputs.dropout_keep === undefined) return 1;
      return fullIndex(x, 'dropout_keep', [b, h, i, j]) === 0 ? 0 : 1 / (1 - x.p.dropout_rate);
    },
  },
  'maximum-absolute': softmaxBy((all) => Math.max(...all.map(Math.abs))),
  'causal-when-unmasked': seen((c) =>
    c.inputs.mask === undefined && c.parameters.causal === 'none'
      ? having({ causal: 'top-left' })(c)
      : c,
  ),
  'softcap-after-mask': {
    masked: (x) => (x.p.softcap === 0 ? null : -x.p.softcap),
    maskedScaled: () => NEVER,
  },
  'dq-last-shard-only': {
    counts: (x, { i, j }, name) => {
      const { ranks, kv } = x.p.partition;
      const order = Array.from({ length: ranks }, (_, step) => (x.rowRank(i) + step) % ranks);
      const last = order.filter((rank) => (kv[rank] ?? 0) > 0).at(-1);
      return name !== 'd_q' || x.keyRank(j) === last;
    },
  },
  'empty-queries-rank-breaks-next': {
    finish: (x, outputs) =>
      replacing(outputs, 'out', (v, n, all) => {
        const { i, place } = outPlace(x, n);
        const { q } = x.p.partition;
        const rank = x.rowRank(i);
        if (rank === 0 || q[rank - 1] !== 0) return v;
        return all[place(Math.max(i - 1, startOf(q, rank)))] ?? 0;
      }),
  },
  'sentinel-ten-thousand': { masked: () => -1e4 },
  'sentinel-billion': { masked: () => -1e9 },
  'bias-full-index': {
    bias: (x, { b, h, i, j }) =>
      x.c.inputs.bias === undefined ? 0 : fullIndex(x, 'bias', [b, h, i, j]),
  },
  'not-normalised': {
    attend: (x, row, scores, sink) => {
      const { lse, powers } = shifted(scores, sink, largest);
      return { lse, out: weighted(x, row, scores, powers) };
    },
  },
  'head-group-leak': {
    finish: (x, outputs) => {
      const size = x.p.seq_kv * x.p.head_dim;
      replacing(outputs, 'd_k', (v, n, all) =>
        Math.floor(n / size) % x.p.kv_heads > 0 ? v + (all[n - size] ?? 0) : v,
      );
    },
  },
  'row-tail-unwritten': {
    visits: (x, { i }) => {
      const { q } = x.p.partition;
      const size = q[x.rowRank(i)] ?? 0;
      return size <= 16 || i - startOf(q, x.rowRank(i)) < size - (size % 16);
    },
  },
  'lse-padded-stride': {
    savedLse: ({ p }, { b, h, i }, all) =>
      all[(b * p.heads + h) * Math.ceil(p.seq_q / 16) * 16 + i] ?? 0,
  },
  'gradient-clipped': {
    finish: (_x, outputs) => replacing(outputs, 'd_q', (v) => Math.max(-1, Math.min(1, v))),
  },
  'last-component-dropped': {
    width: ({ p }) => (p.head_dim > 1 && p.head_dim % 2 === 1 ? p.head_dim - 1 : p.head_dim),
  },
  'empty-row-garbage': {
    finish: (x, outputs) => {
      const { lse = new Float64Array(0), out = new Float64Array(0) } = outputs;
      const width = x.p.head_dim_v;
      lse.forEach((value, n) => {
        if (value !== NEVER || n % x.p.seq_q === 0) return;
        out.copyWithin(n * width, (n - 1) * width, n * width);
      });
    },
  },
  'causal-even-shards': {
    sees: (x, at, pass) => {
      if (x.p.causal === 'none') return RIGHT.sees(x, at, pass);
      const { q, ranks } = x.p.partition;
      const rank = x.rowRank(at.i);
      const i = rank * Math.ceil(x.p.seq_q / ranks) + at.i - startOf(q, rank);
      return (
        withoutCausal.sees?.(x, at, pass) === true &&
        causalAlone.sees?.(x, { ...at, i }, pass) === true
      );
    },
  },
  'lse-of-positive-only': { handedLse: (_x, lse) => (lse === NEVER ? lse : Math.max(0, lse)) },
  'score-in-bf16': scoreRounded('bf16'),
  'tail-dropped-4': tailDropped(4),
  'tail-dropped-16': tailDropped(16),
};
