/**
 * An implementation that shares no code with the zoo's host, to try the diagnosis on: dense, a row of
 * scores at a time over all keys, no ring, no tiles, no merge; float64 with scores and weights stored in
 * float32. Its steps may be replaced. It does not recompute K and V.
 * @module
 */
import type {
  AttentionCase,
  InputName,
  OutputName,
  Outputs,
} from '../../../reference/case/case.ts';
import { outputShape } from '../../../reference/case/case-shapes.ts';
import { visibility } from '../../../reference/case/mask.ts';
import { exp, log, tanh } from '../../../reference/numbers/float64.ts';
import { broadcastGet, elementCount, tensorOf } from '../../../reference/numbers/tensor.ts';

export type Pass = 'forward' | 'backward';

export interface At {
  readonly b: number;
  readonly h: number;
  readonly i: number;
  readonly j: number;
}

export type Row = Omit<At, 'j'>;
export type Arrays = Partial<Record<OutputName, Float64Array>>;

/** What a step knows of the case. */
export interface Problem {
  readonly p: AttentionCase['parameters'];
  readonly c: AttentionCase;
  readonly sees: (b: number, h: number, i: number, j: number) => boolean;
  readonly input: (name: InputName, ...index: number[]) => number;
  /** The rank that holds a row, and a key. */
  readonly rowRank: (i: number) => number;
  readonly keyRank: (j: number) => number;
  readonly steps: Steps;
}

export interface Steps {
  scale(x: Problem, pass: Pass): number;
  kvHead(x: Problem, h: number, pass: Pass): number;
  sees(x: Problem, at: At, pass: Pass): boolean;
  /** Score of a masked key; null = left out. */
  masked(x: Problem, at: At): number | null;
  query(x: Problem, at: Row, c: number): number;
  key(x: Problem, at: At, g: number, c: number): number;
  value(x: Problem, at: At, g: number, c: number): number;
  cotangent(x: Problem, at: Row, c: number): number;
  /** From scale·q·k to the score: softcap, then bias. */
  score(x: Problem, scaled: number, at: At, pass: Pass): number;
  bias(x: Problem, at: At): number;
  /** 1 − tanh² from the scaled score. */
  capSlope(x: Problem, scaled: number): number;
  kappa(x: Problem, at: At): number;
  sink(x: Problem, h: number): number | null;
  /** LSE of a row from its scores, and the weights of its keys. */
  softmax(x: Problem, scores: Scores, sink: number | null): { lse: number; weights: number[] };
  /** A row without a key and without a sink: the output and the LSE. */
  empty(x: Problem, at: Row): { out: number; lse: number };
  /** dLSE − Σ dO·O */
  delta(x: Problem, at: Row, dot: number, dLse: number): number;
  dScore(x: Problem, p: number, g: number, delta: number): number;
  /** Whether a pair's share reaches a gradient. */
  counts(x: Problem, at: At, name: 'd_q' | 'd_k' | 'd_v'): boolean;
  finish(x: Problem, outputs: Arrays): void;
}

/** Scores of a row, null where the key is left out. */
export type Scores = readonly (number | null)[];

const f32 = Math.fround;

export const RIGHT: Steps = {
  scale: ({ p }) => p.scale,
  kvHead: ({ p }, h) => Math.trunc(h / (p.heads / p.kv_heads)),
  sees: ({ sees }, { b, h, i, j }) => sees(b, h, i, j),
  masked: () => null,
  query: ({ input }, { b, h, i }, c) => input('q', b, h, i, c),
  key: ({ input }, { b, j }, g, c) => input('k', b, g, j, c),
  value: ({ input }, { b, j }, g, c) => input('v', b, g, j, c),
  cotangent: ({ input }, { b, h, i }, c) => input('d_out', b, h, i, c),
  score: (x, scaled, at) => {
    const { softcap } = x.p;
    const capped = softcap === 0 ? scaled : softcap * tanh(scaled / softcap);
    return f32(capped + x.steps.bias(x, at));
  },
  bias: (x, { b, h, i, j }) => (x.c.inputs.bias === undefined ? 0 : x.input('bias', b, h, i, j)),
  capSlope: ({ p: { softcap } }, scaled) => (softcap === 0 ? 1 : 1 - tanh(scaled / softcap) ** 2),
  kappa: (x, { b, h, i, j }) => {
    if (x.c.inputs.dropout_keep === undefined) return 1;
    return x.input('dropout_keep', b, h, i, j) === 0 ? 0 : 1 / (1 - x.p.dropout_rate);
  },
  sink: (x, h) => (x.c.inputs.sink === undefined ? null : x.input('sink', h)),
  softmax: (_x, scores, sink) => {
    const present = scores.filter((s) => s !== null);
    const top = Math.max(...present, sink ?? Number.NEGATIVE_INFINITY);
    const powers = scores.map((s) => (s === null ? 0 : exp(s - top)));
    const sum = powers.reduce((a, b) => a + b, 0) + (sink === null ? 0 : exp(sink - top));
    return { lse: top + log(sum), weights: powers.map((e) => f32(e / sum)) };
  },
  empty: () => ({ out: 0, lse: Number.NEGATIVE_INFINITY }),
  delta: (_x, _at, dot, dLse) => dLse - dot,
  dScore: (_x, p, g, delta) => p * (g + delta),
  counts: () => true,
  finish: () => {},
};

const rankOf =
  (sizes: readonly number[]) =>
  (n: number): number => {
    let end = 0;
    return sizes.findIndex((size) => {
      end += size;
      return n < end;
    });
  };

interface Work extends Problem {
  readonly arrays: Arrays;
  readonly add: (name: OutputName, index: readonly number[], value: number) => void;
}

function workOn(c: AttentionCase, replaced: Partial<Steps>): Work {
  const { parameters: p, inputs } = c;
  const arrays: Arrays = {};
  const shapes = new Map<OutputName, readonly number[]>();
  for (const name of ['out', 'lse', 'd_q', 'd_k', 'd_v', 'd_bias', 'd_sink'] as const) {
    const shape = outputShape(c, name);
    shapes.set(name, shape);
    arrays[name] = new Float64Array(elementCount(shape));
  }
  const add: Work['add'] = (name, index, value) => {
    const shape = shapes.get(name) ?? [];
    // A bias may have fewer axes than four.
    const own = index.slice(index.length - shape.length);
    const at = shape.reduce(
      (sum, extent, n) => sum * extent + (extent === 1 ? 0 : (own[n] ?? 0)),
      0,
    );
    const array = arrays[name];
    if (array !== undefined) array[at] = (array[at] ?? 0) + value;
  };
  return {
    ...{ p, c, arrays, add, sees: visibility(c), steps: { ...RIGHT, ...replaced } },
    input: (name, ...index) => {
      const tensor = inputs[name];
      return tensor === undefined ? 0 : broadcastGet(tensor, index);
    },
    ...{ rowRank: rankOf(p.partition.q), keyRank: rankOf(p.partition.kv) },
  };
}

const sumOver = (count: number, of: (c: number) => number): number => {
  let sum = 0;
  for (let c = 0; c < count; c++) sum += of(c);
  return sum;
};

/** Scaled products and scores of one row. */
function rowScores(x: Work, row: Row, pass: Pass): { scaled: number[]; scores: (number | null)[] } {
  const { steps, p } = x;
  const g = steps.kvHead(x, row.h, pass);
  const [scaled, scores]: [number[], (number | null)[]] = [[], []];
  for (let j = 0; j < p.seq_kv; j++) {
    const at = { ...row, j };
    if (!steps.sees(x, at, pass)) {
      scaled.push(0);
      scores.push(steps.masked(x, at));
      continue;
    }
    const dot = sumOver(p.head_dim, (c) => steps.query(x, row, c) * steps.key(x, at, g, c));
    scaled.push(f32(steps.scale(x, pass) * dot));
    scores.push(steps.score(x, scaled[j] ?? 0, at, pass));
  }
  return { scaled, scores };
}

function backwardRow(x: Work, row: Row, lse: number, out: readonly number[]): void {
  const { steps, p, add } = x;
  const { b, h, i } = row;
  const { scaled, scores } = rowScores(x, row, 'backward');
  const g = steps.kvHead(x, h, 'backward');
  const dO = Array.from({ length: p.head_dim_v }, (_, c) => steps.cotangent(x, row, c));
  const dot = out.reduce((sum, o, c) => sum + o * (dO[c] ?? 0), 0);
  const delta = steps.delta(
    x,
    row,
    dot,
    x.c.inputs.d_lse === undefined ? 0 : x.input('d_lse', b, h, i),
  );
  scores.forEach((s, j) => {
    if (s === null) return;
    const at = { ...row, j };
    const weight = f32(exp(s - lse));
    const kappa = steps.kappa(x, at);
    const dP = kappa * sumOver(p.head_dim_v, (c) => (dO[c] ?? 0) * steps.value(x, at, g, c));
    const dS = steps.dScore(x, weight, dP, delta);
    if (x.c.inputs.bias !== undefined) add('d_bias', [b, h, i, j], dS);
    const raw = dS * steps.capSlope(x, scaled[j] ?? 0) * steps.scale(x, 'backward');
    for (let c = 0; c < p.head_dim; c++) {
      if (steps.counts(x, at, 'd_q')) add('d_q', [b, h, i, c], raw * steps.key(x, at, g, c));
      if (steps.counts(x, at, 'd_k')) add('d_k', [b, g, j, c], raw * steps.query(x, row, c));
    }
    if (!steps.counts(x, at, 'd_v')) return;
    for (let c = 0; c < p.head_dim_v; c++) add('d_v', [b, g, j, c], weight * kappa * (dO[c] ?? 0));
  });
  const sink = steps.sink(x, h);
  if (sink !== null) add('d_sink', [h], f32(exp(sink - lse)) * delta);
}

function oneRow(x: Work, row: Row, gradients: boolean): void {
  const { steps, p, add } = x;
  const { b, h, i } = row;
  const { scores } = rowScores(x, row, 'forward');
  const sink = steps.sink(x, h);
  const g = steps.kvHead(x, h, 'forward');
  if (sink === null && scores.every((s) => s === null)) {
    const { out, lse } = steps.empty(x, row);
    for (let c = 0; c < p.head_dim_v; c++) add('out', [b, h, i, c], out);
    add('lse', [b, h, i], lse);
    return;
  }
  const { lse, weights } = steps.softmax(x, scores, sink);
  const out = Array.from({ length: p.head_dim_v }, (_, c) => {
    let sum = 0;
    scores.forEach((s, j) => {
      const at = { ...row, j };
      // What a masked key holds is not looked at.
      if (s !== null) sum += (weights[j] ?? 0) * steps.kappa(x, at) * steps.value(x, at, g, c);
    });
    return sum;
  });
  out.forEach((value, c) => {
    add('out', [b, h, i, c], value);
  });
  add('lse', [b, h, i], lse);
  if (gradients) backwardRow(x, row, lse, out);
}

/** The outputs of a case, in float32. */
export function outside(c: AttentionCase, replaced: Partial<Steps> = {}): Outputs {
  const x = workOn(c, replaced);
  const { batch, heads, seq_q, wants } = x.p;
  const gradients = wants.some((name) => name.startsWith('d_'));
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < seq_q; i++) oneRow(x, { b, h, i }, gradients);
    }
  }
  x.steps.finish(x, x.arrays);
  return Object.fromEntries(
    wants.flatMap((name) => {
      const array = x.arrays[name];
      return array === undefined
        ? []
        : [[name, tensorOf<number>(array.map(f32), outputShape(c, name))]];
    }),
  );
}
