/**
 * The host's backward pass: P is recomputed from the LSE; dQ collects along the ring, dK, dV, dBias
 * where the keys are.
 * @module
 */
import { flatIndex, read } from './context.ts';
import { forEachRow } from './forward.ts';
import { rowIndex } from './honest.ts';
import type { Buffers, Context, ForwardResult, Pair, Row } from './seams.ts';

interface Sums {
  readonly dQ: Float64Array;
  readonly dK: Float64Array;
  readonly dV: Float64Array;
  readonly dBias: Float64Array | null;
  readonly dSink: Float64Array | null;
}

function addKeyGradients(x: Context, sums: Sums, at: Pair, p: number, factor: number): void {
  const { seams, round } = x;
  const { head_dim, head_dim_v, kv_heads, seq_kv } = x.p;
  const [gK, gV] = [seams.gradientHead(x, at.h, 'd_k'), seams.gradientHead(x, at.h, 'd_v')];
  if (gV !== null) {
    const weight = seams.valueWeight(x, at, p);
    for (let c = 0; c < head_dim_v; c++) {
      const n = flatIndex([kv_heads, seq_kv, head_dim_v], at.b, gV, at.j, c);
      const term = round.gradient(weight * seams.cotangent(x, at, c));
      sums.dV[n] = seams.add(x, 'd_v', read(sums.dV, n), term, at);
    }
  }
  if (gK === null) return;
  for (let c = 0; c < head_dim; c++) {
    const n = flatIndex([kv_heads, seq_kv, head_dim], at.b, gK, at.j, c);
    const term = round.gradient(factor * seams.query(x, at, c));
    sums.dK[n] = seams.add(x, 'd_k', read(sums.dK, n), term, at);
  }
}

/** One pair's share of everything but dQ; the factor of K in dQ, or null for a key not there. */
function pairGradient(x: Context, sums: Sums, at: Pair, lse: number, delta: number): number | null {
  const { seams, round } = x;
  const score = seams.score(x, at);
  if (score === null) return null;
  const p = seams.probability(x, at, score.s, lse);
  const dS = seams.dScore(x, at, p, seams.dProbability(x, at), delta);
  if (sums.dBias !== null) {
    const n = seams.biasTarget(x, at);
    sums.dBias[n] = seams.add(x, 'd_bias', read(sums.dBias, n), dS, at);
  }
  const raw = score.t === null ? dS : round.score(dS * seams.capFactor(x, score.t));
  const factor = round.scoreGradient(round.score(seams.scale(x, 'backward') * raw));
  addKeyGradients(x, sums, at, p, factor);
  return factor;
}

function rowGradient(x: Context, sums: Sums, row: Row, saved: ForwardResult): void {
  const { seams, round, p } = x;
  const lse = seams.savedLse(x, saved.lse, row);
  if (lse === Number.NEGATIVE_INFINITY) return;
  const delta = seams.delta(x, row, saved);
  const first = rowIndex(x, row) * p.head_dim;
  for (let step = 0; step < seams.hops(x); step++) {
    const source = seams.source(x, row.home, step);
    const { start, stop } = seams.keyRange(x, source, 'backward', row.home);
    for (let j = start; j < stop; j++) {
      const at: Pair = { ...row, j, source, pass: 'backward' };
      const factor = pairGradient(x, sums, at, lse, delta);
      if (factor === null) continue;
      for (let c = 0; c < p.head_dim; c++) {
        const term = round.gradient(factor * seams.key(x, at, c));
        sums.dQ[first + c] = seams.add(x, 'd_q', read(sums.dQ, first + c), term, at);
      }
    }
  }
  const { sink } = x.inputs;
  if (sums.dSink === null || sink === undefined) return;
  const pair: Pair = { ...row, j: -1, source: row.home, pass: 'backward' };
  const weight = seams.probability(x, pair, round.lse(read(sink.data, row.h)), lse);
  const term = seams.dSink(x, row, weight, delta);
  sums.dSink[row.h] = seams.add(x, 'd_sink', read(sums.dSink, row.h), term, row);
}

/** Gradients by q, k, v, bias and sink, not yet rounded to the output format. */
export function backward(x: Context, saved: ForwardResult): Buffers {
  const { seams, p } = x;
  const kv = p.batch * p.kv_heads * p.seq_kv;
  const { bias, sink } = x.inputs;
  const sums: Sums = {
    dQ: seams.buffer(x, 'd_q', p.batch * p.heads * p.seq_q * p.head_dim),
    dK: seams.buffer(x, 'd_k', kv * p.head_dim),
    dV: seams.buffer(x, 'd_v', kv * p.head_dim_v),
    dBias: bias === undefined ? null : seams.buffer(x, 'd_bias', bias.data.length),
    dSink: sink === undefined ? null : seams.buffer(x, 'd_sink', p.heads),
  };
  forEachRow(x, 'backward', (row) => rowGradient(x, sums, row, saved));
  const gradients: Buffers = { d_q: sums.dQ, d_k: sums.dK, d_v: sums.dV };
  if (sums.dBias !== null) gradients.d_bias = sums.dBias;
  if (sums.dSink !== null) gradients.d_sink = sums.dSink;
  return gradients;
}
