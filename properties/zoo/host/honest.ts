/**
 * The honest steps: attention as spec/attention.md defines it, in the working precision.
 * @module
 */

import { kvHead } from '../../../reference/case/heads.ts';
import { exp, log, tanh } from '../../../reference/numbers/float64.ts';
import { broadcastFlat, flatIndex, read } from './context.ts';
import type { Context, Pair, Partial_, Row, Running, Score, Seams } from './seams.ts';

const NOTHING = new Float64Array(0);
const NEVER = Number.NEGATIVE_INFINITY;

/** exp in the working precision; exp(−∞) is 0. */
export function exponentialOf(x: Context, y: number): number {
  return y === NEVER ? 0 : x.round.exponential(exp(y));
}

export const rowIndex = ({ p }: Context, { b, h, i }: Row): number =>
  (b * p.heads + h) * p.seq_q + i;

function dot(x: Context, at: Pair): number {
  const { seams, round, p } = x;
  let sum = 0;
  for (let c = 0; c < p.head_dim; c++) {
    sum = round.score(sum + round.score(seams.query(x, at, c) * seams.key(x, at, c)));
  }
  return sum;
}

function capped(x: Context, raw: number): Score {
  const { softcap } = x.p;
  if (softcap === 0) return { s: raw, t: null };
  const t = x.round.score(tanh(x.round.score(raw / softcap)));
  return { s: x.round.score(softcap * t), t };
}

function score(x: Context, at: Pair): Score | null {
  const { seams, round } = x;
  if (!seams.visible(x, at)) return seams.hidden(x, at);
  const raw = seams.scaled(x, at, seams.dot(x, at));
  const { s, t } = seams.capped(x, raw);
  return { s: x.inputs.bias === undefined ? s : round.score(s + seams.bias(x, at)), t };
}

function addKey(x: Context, state: Running, at: Pair, e: number): void {
  const { seams, round } = x;
  state.l = round.sum(state.l + e);
  const kappa = seams.kappa(x, at);
  const weight = round.probability(kappa === 1 ? e : round.score(e * kappa));
  for (let c = 0; c < state.o.length; c++) {
    const term = round.accumulate(weight * seams.value(x, at, c));
    state.o[c] = round.accumulate(read(state.o, c) + term);
  }
}

function shard(x: Context, { m, l, o }: Running): Partial_ {
  if (l === 0) return { lse: NEVER, o: o.fill(0) };
  const lse = x.round.lse(m + x.round.exponential(log(l)));
  return { lse, o: o.map((sum) => x.round.partial(sum / l)) };
}

/** LSE = m + log(e^(a−m) + e^(b−m)), O weighted by e^(LSE_a − LSE). spec (22) */
function merge(x: Context, a: Partial_, b: Partial_): Partial_ {
  const { round } = x;
  if (a.lse === NEVER) return b;
  if (b.lse === NEVER) return a;
  const m = Math.max(a.lse, b.lse);
  const [eA, eB] = [
    exponentialOf(x, round.score(a.lse - m)),
    exponentialOf(x, round.score(b.lse - m)),
  ];
  const l = round.sum(eA + eB);
  const [wA, wB] = [round.exponential(eA / l), round.exponential(eB / l)];
  const o = a.o.map((value, c) =>
    round.partial(round.accumulate(wA * value) + round.accumulate(wB * read(b.o, c))),
  );
  return { lse: round.lse(m + round.exponential(log(l))), o };
}

function delta(x: Context, row: Row, forward: { out: Float64Array }): number {
  const { seams, round, p } = x;
  let sum = 0;
  for (let c = 0; c < p.head_dim_v; c++) {
    const term = seams.cotangent(x, row, c) * seams.savedOut(x, forward.out, row, c);
    sum = round.delta(sum + round.delta(term));
  }
  return round.delta(read(x.dLse, rowIndex(x, row)) - sum);
}

function dProbability(x: Context, at: Pair): number {
  const { seams, round, p } = x;
  let sum = 0;
  for (let c = 0; c < p.head_dim_v; c++) {
    sum = round.score(sum + round.score(seams.cotangent(x, at, c) * seams.value(x, at, c)));
  }
  return round.score(seams.kappa(x, at) * sum);
}

const keyIndex = (x: Context, { b, h, j, pass }: Pair, width: number, c: number): number =>
  flatIndex([x.p.kv_heads, x.p.seq_kv, width], b, x.seams.kvHead(x, h, pass), j, c);

/** Every step as it should be. */
export const HONEST: Seams = {
  round: (honest) => honest,
  begin: () => {},
  buffer: (_x, _name, size) => new Float64Array(size),

  hops: (x) => x.p.partition.ranks,
  source: (x, home, step) => (home + step) % x.p.partition.ranks,
  rowRange: (x, home) => x.rows[home] ?? { start: 0, stop: 0 },
  keyRange: (x, source) => x.keys[source] ?? { start: 0, stop: 0 },
  tile: () => 4,

  kvHead: (x, h) => kvHead(x.p, h),
  query: (x, { b, h, i }, c) =>
    read(x.q, flatIndex([x.p.heads, x.p.seq_q, x.p.head_dim], b, h, i, c)),
  key: (x, at, c) => read(x.k, keyIndex(x, at, x.p.head_dim, c)),
  value: (x, at, c) => read(x.v, keyIndex(x, at, x.p.head_dim_v, c)),
  scale: (x) => x.round.score(x.p.scale),
  dot,
  scaled: (x, at, sum) => x.round.score(x.seams.scale(x, at.pass) * sum),
  capped,
  bias: (x, { b, h, i, j }) => {
    const { bias } = x.inputs;
    return bias === undefined
      ? 0
      : x.round.score(read(bias.data, broadcastFlat(bias.shape, [b, h, i, j])));
  },
  score,
  visible: (x, { b, h, i, j }) => x.visible(b, h, i, j),
  hidden: () => null,
  kappa: (x, { b, h, i, j }) => {
    const keep = x.inputs.dropout_keep;
    if (keep === undefined) return 1;
    const kept = read(keep.data, broadcastFlat(keep.shape, [b, h, i, j])) !== 0;
    return kept ? x.round.score(1 / (1 - x.p.dropout_rate)) : 0;
  },

  running: (x) => ({ m: NEVER, l: 0, o: new Float64Array(x.p.head_dim_v) }),
  maximum: (_x, m, scores) => scores.reduce((max, s) => Math.max(max, s), m),
  rescale: (x, from, to) =>
    from === to ? 1 : from === NEVER ? 0 : exponentialOf(x, x.round.score(from - to)),
  exponential: (x, s, m) => exponentialOf(x, x.round.score(s - m)),
  rescaled: (x, state, alpha) => {
    state.l = x.round.sum(state.l * alpha);
    state.o.forEach((value, c) => {
      state.o[c] = x.round.accumulate(value * alpha);
    });
  },
  addKey,
  shard,

  part: (x, p, row) => {
    const at = p * (x.p.batch * x.p.heads * x.p.seq_q) + rowIndex(x, row);
    const lse = x.round.lse(read(x.inputs.lses?.data ?? NOTHING, at));
    const width = x.p.head_dim_v;
    // Of a part without keys the output is not looked at.
    if (lse === NEVER) return { lse, o: new Float64Array(width) };
    const given = x.inputs.outs?.data.subarray(at * width, (at + 1) * width) ?? NOTHING;
    return { lse, o: given.map(x.round.operand) };
  },
  start: (x) => ({ lse: NEVER, o: new Float64Array(x.p.head_dim_v) }),
  sink: (x, { h }, step) => {
    const { sink } = x.inputs;
    if (sink === undefined || step !== 0) return null;
    return { lse: x.round.lse(read(sink.data, h)), o: new Float64Array(x.p.head_dim_v) };
  },
  merge,
  carry: (_x, partial) => partial,
  storeRow: (x, row, partial, { out, lse }) => {
    const at = rowIndex(x, row);
    lse[at] = partial.lse;
    out.set(partial.o, at * x.p.head_dim_v);
  },
  finishForward: (_x, forward) => forward,

  savedLse: (x, lse, row) => read(lse, rowIndex(x, row)),
  savedOut: (x, out, row, c) => read(out, rowIndex(x, row) * x.p.head_dim_v + c),
  cotangent: (x, row, c) => read(x.dOut, rowIndex(x, row) * x.p.head_dim_v + c),
  delta,
  probability: (x, _at, s, lse) => exponentialOf(x, x.round.score(s - lse)),
  dProbability,
  dScore: (x, _at, p, g, d) => x.round.score(p * x.round.score(g + d)),
  capFactor: (x, t) => x.round.score(1 - x.round.score(t * t)),
  valueWeight: (x, at, p) => x.round.probability(x.round.score(p * x.seams.kappa(x, at))),
  gradientHead: (x, h) => x.seams.kvHead(x, h, 'backward'),
  add: (x, _name, old, term) => x.round.gradient(old + x.round.gradient(term)),
  biasTarget: (x, { b, h, i, j }) => broadcastFlat(x.inputs.bias?.shape ?? [], [b, h, i, j]),
  dSink: (x, _row, p, d) => x.round.score(p * d),
  column: (_x, g, c, width) => g * width + c,
  finishBackward: () => {},
  finish: () => {},
};
