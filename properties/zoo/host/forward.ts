/**
 * The host's forward pass: query blocks visit the ranks in ring order, partial results (O, LSE)
 * follow and are merged; within a shard, an online softmax over tiles of keys.
 * @module
 */
import { isMerge } from '../../../reference/case/merge-case.ts';
import type { Context, ForwardResult, Pair, Partial_, Row } from './seams.ts';

/** Attention of one row over the keys of one rank. */
function overShard(x: Context, row: Row, source: number): Partial_ {
  const { seams } = x;
  const { start, stop } = seams.keyRange(x, source, 'forward', row.home);
  const state = seams.running(x, row, source);
  const tile = seams.tile(x);
  for (let begin = start; begin < stop; begin += tile) {
    const pairs: { at: Pair; s: number }[] = [];
    for (let j = begin; j < Math.min(begin + tile, stop); j++) {
      const at: Pair = { ...row, j, source, pass: 'forward' };
      const score = seams.score(x, at);
      if (score !== null) pairs.push({ at, s: score.s });
    }
    if (pairs.length === 0) continue;
    const m = seams.maximum(
      x,
      state.m,
      pairs.map(({ s }) => s),
      row,
    );
    seams.rescaled(x, state, seams.rescale(x, state.m, m, row));
    state.m = m;
    for (const { at, s } of pairs) seams.addKey(x, state, at, seams.exponential(x, s, m));
  }
  return seams.shard(x, state, row);
}

/** One row's tour of the ring. */
function tour(x: Context, row: Row): Partial_ {
  const { seams } = x;
  let state = seams.start(x, row);
  for (let step = 0; step < seams.hops(x); step++) {
    const sink = seams.sink(x, row, step);
    if (sink !== null) state = seams.merge(x, state, sink, row, step);
    const source = seams.source(x, row.home, step);
    state = seams.merge(x, state, overShard(x, row, source), row, step);
    state = seams.carry(x, state, row, step);
  }
  return state;
}

/** Every given part of a row, one after another. spec (27) */
function mergeOfParts(x: Context, row: Row): Partial_ {
  const { seams } = x;
  let state = seams.start(x, row);
  for (let p = 0; p < x.p.seq_kv; p++) {
    state = seams.merge(x, state, seams.part(x, p, row), row, p);
    state = seams.carry(x, state, row, p);
  }
  return state;
}

/** Visits every row, rank by rank. */
export function forEachRow(
  x: Context,
  pass: 'forward' | 'backward',
  visit: (row: Row) => void,
): void {
  for (let b = 0; b < x.p.batch; b++) {
    for (let h = 0; h < x.p.heads; h++) {
      for (let home = 0; home < x.p.partition.ranks; home++) {
        const { start, stop } = x.seams.rowRange(x, home, pass);
        for (let i = start; i < stop; i++) visit({ b, h, i, home });
      }
    }
  }
}

export function forward(x: Context): ForwardResult {
  const { seams, p } = x;
  const count = p.batch * p.heads * p.seq_q;
  const result = {
    out: seams.buffer(x, 'out', count * p.head_dim_v),
    lse: seams.buffer(x, 'lse', count),
  };
  const over = isMerge(p) ? mergeOfParts : tour;
  forEachRow(x, 'forward', (row) => seams.storeRow(x, row, over(x, row), result));
  return seams.finishForward(x, result);
}
