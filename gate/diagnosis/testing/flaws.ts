/**
 * Flaws of the outside implementation: those that the zoo has too, under its names, and some that it has not.
 * @module
 */

import type { AttentionCase, OutputName } from '../../../reference/case/case.ts';
import { visibility } from '../../../reference/case/mask.ts';
import { exp, log, tanh } from '../../../reference/numbers/float64.ts';
import { type Arrays, type Problem, RIGHT, type Steps } from './outside.ts';

export type Flaw = Partial<Steps>;

/** Visibility as of a changed case. */
export const seen = (change: (c: AttentionCase) => AttentionCase, only?: 'backward'): Flaw => ({
  sees: (x, at, pass) => {
    if (only !== undefined && pass !== only) return RIGHT.sees(x, at, pass);
    return changedOf(x, change)(at.b, at.h, at.i, at.j);
  },
});

const known = new WeakMap<AttentionCase, Map<unknown, ReturnType<typeof visibility>>>();
function changedOf(x: Problem, change: (c: AttentionCase) => AttentionCase) {
  const all = known.get(x.c) ?? new Map();
  known.set(x.c, all);
  const found = all.get(change) ?? visibility(change(x.c));
  all.set(change, found);
  return found;
}

export const having =
  (parameters: Partial<AttentionCase['parameters']>) =>
  (c: AttentionCase): AttentionCase => ({ ...c, parameters: { ...c.parameters, ...parameters } });
const lacking =
  (name: 'mask' | 'kv_lengths') =>
  (c: AttentionCase): AttentionCase => {
    const { [name]: _, ...inputs } = c.inputs;
    return { ...c, inputs };
  };

const times = (outputs: Arrays, name: OutputName, factor: number): void => {
  outputs[name] = (outputs[name] ?? new Float64Array(0)).map((v) => v * factor);
};
export const finishing = (name: OutputName, factor: (x: Problem) => number): Flaw => ({
  finish: (x, outputs) => times(outputs, name, factor(x)),
});

/** The weights of a softmax changed, or its LSE. */
const softmaxWith = (
  change: (
    x: Problem,
    found: { lse: number; weights: number[] },
  ) => { lse: number; weights: number[] },
): Flaw => ({ softmax: (x, scores, sink) => change(x, RIGHT.softmax(x, scores, sink)) });

const sameRank = (x: Problem, i: number, j: number): boolean => x.rowRank(i) === x.keyRank(j);

const capped = (x: Problem, scaled: number, of: (t: number, c: number) => number): number =>
  x.p.softcap === 0 ? scaled : of(scaled, x.p.softcap);

/** Another sink in the softmax; its gradient is that of the right one. */
const sinkAs = (change: (x: Problem, sink: number) => number | null): Flaw => ({
  softmax: (x, scores, sink) => {
    const changed = sink === null ? null : change(x, sink);
    if (changed !== null || scores.some((s) => s !== null))
      return RIGHT.softmax(x, scores, changed);
    return { lse: Number.NEGATIVE_INFINITY, weights: scores.map(() => 0) };
  },
});

/** Fifty faults of the zoo, written anew. */
export const SHARED: Readonly<Record<string, Flaw>> = {
  'scale-missing': { scale: () => 1 },
  'scale-twice': {
    scale: (x) => x.p.scale ** 2,
    finish: (x, outputs) => {
      for (const name of ['d_q', 'd_k'] as const) times(outputs, name, 1 / x.p.scale);
    },
  },
  'scale-default': { scale: (x) => 1 / Math.sqrt(x.p.head_dim) },
  'scale-absolute': { scale: (x) => Math.abs(x.p.scale) },
  'scale-missing-backward': {
    dScore: (x, p, g, delta) => (p * (g + delta)) / (x.p.scale === 0 ? 1 : x.p.scale),
  },
  'scale-missing-dk': finishing('d_k', (x) => 1 / x.p.scale),
  'causal-missing': seen(having({ causal: 'none' })),
  'causal-missing-backward': seen(having({ causal: 'none' }), 'backward'),
  'causal-top-left-always': seen((c) =>
    c.parameters.causal === 'bottom-right' ? having({ causal: 'top-left' })(c) : c,
  ),
  'causal-bottom-right-always': seen((c) =>
    c.parameters.causal === 'top-left' ? having({ causal: 'bottom-right' })(c) : c,
  ),
  'window-ignored': seen(having({ window: null })),
  'window-missing-backward': seen(having({ window: null }), 'backward'),
  'window-left-only': seen((c) => {
    const { window } = c.parameters;
    return window === null ? c : having({ window: [window[0], -1] })(c);
  }),
  'mask-dropped': seen(lacking('mask')),
  'mask-missing-backward': seen(lacking('mask'), 'backward'),
  'media-ignored': seen(having({ media: null })),
  'lengths-ignored': seen(lacking('kv_lengths')),
  'lengths-missing-backward': seen(lacking('kv_lengths'), 'backward'),
  'mask-head-zero': { sees: (x, at, pass) => RIGHT.sees(x, { ...at, h: 0 }, pass) },
  'bias-missing': { bias: () => 0 },
  'bias-subtracted': { bias: (x, at) => -RIGHT.bias(x, at) },
  'bias-head-zero': { bias: (x, at) => RIGHT.bias(x, { ...at, h: 0 }) },
  'batch-zero-bias': { bias: (x, at) => RIGHT.bias(x, { ...at, b: 0 }) },
  'scale-over-bias': { bias: (x, at) => x.p.scale * RIGHT.bias(x, at) },
  'batch-zero-keys': { key: (x, at, g, c) => RIGHT.key(x, { ...at, b: 0 }, g, c) },
  'batch-zero-values': { value: (x, at, g, c) => RIGHT.value(x, { ...at, b: 0 }, g, c) },
  'batch-zero-cotangent': { cotangent: (x, at, c) => RIGHT.cotangent(x, { ...at, b: 0 }, c) },
  'kv-head-tiled': { kvHead: (x, h) => h % x.p.kv_heads },
  'kv-head-tiled-backward': {
    kvHead: (x, h, pass) => (pass === 'backward' ? h % x.p.kv_heads : RIGHT.kvHead(x, h, pass)),
  },
  'group-averaged': finishing('d_k', (x) => x.p.kv_heads / x.p.heads),
  'group-first-head-only': {
    counts: (x, { h }, name) => name === 'd_q' || h % (x.p.heads / x.p.kv_heads) === 0,
  },
  'softcap-missing': { score: (x, scaled, at) => scaled + RIGHT.bias(x, at), capSlope: () => 1 },
  'softcap-unscaled': {
    score: (x, scaled, at) => capped(x, scaled, (t, c) => tanh(t / c)) + RIGHT.bias(x, at),
  },
  'softcap-factor-missing': { capSlope: () => 1 },
  'softcap-factor-twice': { capSlope: (x, scaled) => RIGHT.capSlope(x, scaled) ** 2 },
  'sink-missing': sinkAs(() => null),
  'sink-scaled': sinkAs((x, sink) => x.p.scale * sink),
  'sink-per-rank': sinkAs((x, sink) => sink + log(x.p.partition.ranks)),
  'dropout-ignored': { kappa: () => 1 },
  'dropout-not-rescaled': { kappa: (x, at) => (RIGHT.kappa(x, at) === 0 ? 0 : 1) },
  'dlse-ignored': { delta: (_x, _at, dot) => -dot },
  'dlse-sign': { delta: (_x, _at, dot, dLse) => -dLse - dot },
  'delta-missing': { delta: (_x, _at, _dot, dLse) => dLse },
  'delta-sign': { delta: (_x, _at, dot, dLse) => dLse + dot },
  'lse-base-2-output': finishing('lse', () => 1 / Math.LN2),
  'lse-empty-zero': { empty: () => ({ out: 0, lse: 0 }) },
  'empty-row-nan': { empty: () => ({ out: Number.NaN, lse: Number.NEGATIVE_INFINITY }) },
  'dv-sign': finishing('d_v', () => -1),
  'dk-own-rows-only': { counts: (x, { i, j }, name) => name !== 'd_k' || sameRank(x, i, j) },
  'dv-own-rows-only': { counts: (x, { i, j }, name) => name !== 'd_v' || sameRank(x, i, j) },
  'dq-own-shard-only': { counts: (x, { i, j }, name) => name !== 'd_q' || sameRank(x, i, j) },
  'gradient-times-ranks': finishing('d_q', (x) => x.p.partition.ranks),
  'gradients-zero': finishing('d_q', () => 0),
};

/** Flaws that the zoo has not, and what should be said of each where no fault is named. */
export const UNKNOWN: Readonly<Record<string, { flaw: Flaw; says: RegExp }>> = {
  'the LSE is a tenth too large': {
    flaw: finishing('lse', () => 1.1),
    says: /only lse is wrong; lse: 1\.1 times/,
  },
  'dV is doubled where heads are grouped': {
    flaw: finishing('d_v', (x) => (x.p.heads > x.p.kv_heads ? 2 : 1)),
    says: /kv_heads < heads.*only d_v is wrong; d_v: the group size times/s,
  },
  'rows past the fourth see one key less': {
    flaw: { sees: (x, at, pass) => RIGHT.sees(x, at, pass) && !(at.i >= 4 && at.j === 2) },
    says: /only rows from 4 on/,
  },
  'the bias is halved': {
    flaw: { bias: (x, at) => RIGHT.bias(x, at) / 2 },
    says: /every case that is wrong has a bias/i,
  },
  'heads are reversed in the output': {
    flaw: {
      finish: ({ p }, outputs) => {
        const [out, size] = [outputs.out ?? new Float64Array(0), p.seq_q * p.head_dim_v];
        outputs.out = out.map((_, n) => {
          const [block, rest] = [Math.floor(n / size), n % size];
          const head = block % p.heads;
          return out[(block - head + p.heads - 1 - head) * size + rest] ?? 0;
        });
      },
    },
    says: /heads in reverse order/,
  },
  'a window is one key wider on both sides': {
    flaw: seen((c) => {
      const { window } = c.parameters;
      const wider = (side: number): number => (side < 0 ? side : side + 1);
      return window === null ? c : having({ window: [wider(window[0]), wider(window[1])] })(c);
    }),
    says: /has a window/,
  },
  'dS keeps only half of delta': {
    flaw: { dScore: (_x, p, g, delta) => p * (g + delta / 2) },
    says: /asks for gradients/,
  },
  'the softmax has a temperature of 1.01': {
    flaw: { scale: (x) => x.p.scale * 1.01 },
    says: /wrong/,
  },
  'odd heads are one percent off': {
    flaw: {
      finish: ({ p }, outputs) => {
        const size = p.seq_q * p.head_dim_v;
        outputs.out = (outputs.out ?? new Float64Array(0)).map((v, n) =>
          (Math.floor(n / size) % p.heads) % 2 === 1 ? v * 1.01 : v,
        );
      },
    },
    says: /only out is wrong; out: 1\.01 times/,
  },
  'a sink counts double': {
    flaw: { sink: (x, h) => (x.c.inputs.sink === undefined ? null : x.input('sink', h) + log(2)) },
    says: /has a sink/,
  },
  'weights lose their tail': {
    flaw: softmaxWith((_x, { lse, weights }) => ({
      lse,
      weights: weights.map((w) => (w < exp(-3) ? 0 : w)),
    })),
    says: /out/,
  },
  'd_k of the last key is missing': {
    flaw: { counts: (x, { j }, name) => name !== 'd_k' || j !== x.p.seq_kv - 1 },
    says: /only d_k is wrong; d_k: zero where it is wrong.*only the last key/,
  },
};
