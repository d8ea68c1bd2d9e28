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
import { elementCount, tensorOf, toFlat } from '../../../reference/numbers/tensor.ts';

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
  /** Its scaled product, of which the slope of the softcap is taken. */
  maskedScaled(x: Problem): number;
  /** Components of q·k. */
  width(x: Problem): number;
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
  /** One row forward from its scores: LSE, and the output's components. */
  attend(x: Problem, at: Row, scores: Scores, sink: number | null): Attended;
  /** A row without a key and without a sink: the output and the LSE. */
  empty(x: Problem, at: Row): { out: number; lse: number };
  /** Whether a row is computed at all. */
  visits(x: Problem, at: Row): boolean;
  /** The LSE that is handed out. */
  handedLse(x: Problem, lse: number, scores: Scores): number;
  /** The LSE that the backward pass takes for a row's, of all of them. */
  savedLse(x: Problem, at: Row, all: Float64Array): number;
  /** P of a pair from its score. */
  probability(x: Problem, s: number, lse: number): number;
  /** κ Σ dO·V from its factors. */
  dProbability(x: Problem, kappa: number, sum: number): number;
  /** dLSE − Σ dO·O */
  delta(x: Problem, at: Row, dot: number, dLse: number): number;
  dScore(x: Problem, p: number, g: number, delta: number): number;
  /** Whether a pair's share reaches a gradient, or how often. */
  counts(x: Problem, at: At, name: 'd_q' | 'd_k' | 'd_v'): boolean | number;
  /** A sum of gradients as it is kept. */
  accumulated(x: Problem, sum: number, name: OutputName): number;
  finish(x: Problem, outputs: Arrays): void;
}

export interface Attended {
  readonly lse: number;
  readonly out: readonly number[];
}

/** Scores of a row, null where the key is left out. */
export type Scores = readonly (number | null)[];

const f32 = Math.fround;

/** Σ weights · V of a row; what a key that is left out holds is not looked at. */
export function weighted(
  x: Problem,
  row: Row,
  scores: Scores,
  weights: readonly number[],
): number[] {
  const g = x.steps.kvHead(x, row.h, 'forward');
  return Array.from({ length: x.p.head_dim_v }, (_, c) => {
    let sum = 0;
    scores.forEach((s, j) => {
      if (s === null) return;
      const at = { ...row, j };
      sum += (weights[j] ?? 0) * x.steps.kappa(x, at) * x.steps.value(x, at, g, c);
    });
    return sum;
  });
}

export const RIGHT: Steps = {
  scale: ({ p }) => p.scale,
  kvHead: ({ p }, h) => Math.trunc(h / (p.heads / p.kv_heads)),
  sees: ({ sees }, { b, h, i, j }) => sees(b, h, i, j),
  masked: () => null,
  maskedScaled: () => 0,
  width: ({ p }) => p.head_dim,
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
  attend: (x, row, scores, sink) => {
    const { lse, weights } = x.steps.softmax(x, scores, sink);
    return { lse, out: weighted(x, row, scores, weights) };
  },
  empty: () => ({ out: 0, lse: Number.NEGATIVE_INFINITY }),
  visits: () => true,
  handedLse: (_x, lse) => lse,
  savedLse: ({ p }, { b, h, i }, all) => all[(b * p.heads + h) * p.seq_q + i] ?? 0,
  probability: (_x, s, lse) => f32(exp(s - lse)),
  dProbability: (_x, kappa, sum) => kappa * sum,
  delta: (_x, _at, dot, dLse) => dLse - dot,
  dScore: (_x, p, g, delta) => p * (g + delta),
  counts: () => true,
  accumulated: (_x, sum) => sum,
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

/** Inputs by index, with 0 along what broadcasts, and for what is not there. */
function reader(inputs: AttentionCase['inputs']): Problem['input'] {
  const flats = new Map(
    Object.entries(inputs).map(([name, tensor]) => [
      name,
      { data: Float64Array.from(toFlat(tensor)), shape: tensor.shape },
    ]),
  );
  return (name, ...index) => {
    const flat = flats.get(name);
    if (flat === undefined) return 0;
    const skip = index.length - flat.shape.length;
    let at = 0;
    for (let n = 0; n < flat.shape.length; n++) {
      const extent = flat.shape[n] ?? 1;
      at = at * extent + (extent === 1 ? 0 : (index[n + skip] ?? 0));
    }
    return flat.data[at] ?? 0;
  };
}

function workOn(c: AttentionCase, replaced: Partial<Steps>): Work {
  const { parameters: p } = c;
  const arrays: Arrays = {};
  const shapes = new Map<OutputName, readonly number[]>();
  for (const name of ['out', 'lse', 'd_q', 'd_k', 'd_v', 'd_bias', 'd_sink'] as const) {
    const shape = outputShape(c, name);
    shapes.set(name, shape);
    arrays[name] = new Float64Array(elementCount(shape));
  }
  const steps = { ...RIGHT, ...replaced };
  const add: Work['add'] = (name, index, value) => {
    const shape = shapes.get(name) ?? [];
    // A bias may have fewer axes than four.
    const skip = index.length - shape.length;
    let at = 0;
    for (let n = 0; n < shape.length; n++) {
      const extent = shape[n] ?? 1;
      at = at * extent + (extent === 1 ? 0 : (index[n + skip] ?? 0));
    }
    const array = arrays[name];
    if (array !== undefined) array[at] = steps.accumulated(x, (array[at] ?? 0) + value, name);
  };
  const x: Work = {
    ...{ p, c, arrays, add, sees: visibility(c), steps, input: reader(c.inputs) },
    ...{ rowRank: rankOf(p.partition.q), keyRank: rankOf(p.partition.kv) },
  };
  return x;
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
      scaled.push(steps.maskedScaled(x));
      scores.push(steps.masked(x, at));
      continue;
    }
    const dot = sumOver(steps.width(x), (c) => steps.query(x, row, c) * steps.key(x, at, g, c));
    scaled.push(f32(steps.scale(x, pass) * dot));
    scores.push(steps.score(x, scaled[j] ?? 0, at, pass));
  }
  return { scaled, scores };
}

/** What the forward pass leaves for the backward pass, by row. */
interface Saved {
  readonly lse: Float64Array;
  readonly out: Float64Array;
}

const rowPlace = ({ p }: Problem, { b, h, i }: Row): number => (b * p.heads + h) * p.seq_q + i;

/** One pair's share of every gradient. */
function backwardPair(
  x: Work,
  at: At,
  [scaled, s, lse, delta]: readonly [number, number, number, number],
): void {
  const { steps, p, add } = x;
  const { b, h, i, j } = at;
  const g = steps.kvHead(x, h, 'backward');
  const weight = steps.probability(x, s, lse);
  const kappa = steps.kappa(x, at);
  const dot = sumOver(p.head_dim_v, (c) => steps.cotangent(x, at, c) * steps.value(x, at, g, c));
  const dS = steps.dScore(x, weight, steps.dProbability(x, kappa, dot), delta);
  if (x.c.inputs.bias !== undefined) add('d_bias', [b, h, i, j], dS);
  const raw = dS * steps.capSlope(x, scaled) * steps.scale(x, 'backward');
  const [forQ, forK, forV] = (['d_q', 'd_k', 'd_v'] as const).map((name) =>
    Number(steps.counts(x, at, name)),
  ) as [number, number, number];
  for (let c = 0; c < p.head_dim; c++) {
    if (forQ !== 0) add('d_q', [b, h, i, c], forQ * raw * steps.key(x, at, g, c));
    if (forK !== 0) add('d_k', [b, g, j, c], forK * raw * steps.query(x, at, c));
  }
  if (forV === 0) return;
  for (let c = 0; c < p.head_dim_v; c++) {
    add('d_v', [b, g, j, c], forV * weight * kappa * steps.cotangent(x, at, c));
  }
}

function backwardRow(x: Work, row: Row, saved: Saved): void {
  const { steps, p, add } = x;
  const { b, h, i } = row;
  const lse = steps.savedLse(x, row, saved.lse);
  const { scaled, scores } = rowScores(x, row, 'backward');
  const first = rowPlace(x, row) * p.head_dim_v;
  const dot = sumOver(
    p.head_dim_v,
    (c) => (saved.out[first + c] ?? 0) * steps.cotangent(x, row, c),
  );
  const dLse = x.c.inputs.d_lse === undefined ? 0 : x.input('d_lse', b, h, i);
  const delta = steps.delta(x, row, dot, dLse);
  scores.forEach((s, j) => {
    if (s !== null) backwardPair(x, { ...row, j }, [scaled[j] ?? 0, s, lse, delta]);
  });
  const sink = steps.sink(x, h);
  if (sink !== null) add('d_sink', [h], f32(exp(sink - lse)) * delta);
}

/** Whether the row attends to anything. */
function forwardRow(x: Work, row: Row, saved: Saved): boolean {
  const { steps, p, add } = x;
  const { b, h, i } = row;
  const { scores } = rowScores(x, row, 'forward');
  const sink = steps.sink(x, h);
  const empty = sink === null && scores.every((s) => s === null);
  const nothing = empty ? steps.empty(x, row) : null;
  const { lse, out } =
    nothing === null
      ? steps.attend(x, row, scores, sink)
      : { lse: nothing.lse, out: Array.from({ length: p.head_dim_v }, () => nothing.out) };
  const at = rowPlace(x, row);
  saved.lse[at] = lse;
  saved.out.set(out, at * p.head_dim_v);
  out.forEach((value, c) => {
    add('out', [b, h, i, c], value);
  });
  add('lse', [b, h, i], steps.handedLse(x, lse, scores));
  return !empty;
}

/** The outputs of a case, in float32. */
export function outside(c: AttentionCase, replaced: Partial<Steps> = {}): Outputs {
  const x = workOn(c, replaced);
  const { batch, heads, seq_q, head_dim_v, wants } = x.p;
  const rows: Row[] = [];
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      for (let i = 0; i < seq_q; i++) rows.push({ b, h, i });
    }
  }
  const saved: Saved = {
    lse: new Float64Array(rows.length),
    out: new Float64Array(rows.length * head_dim_v),
  };
  const visited = rows.filter((row) => x.steps.visits(x, row));
  const attending = visited.filter((row) => forwardRow(x, row, saved));
  if (wants.some((name) => name.startsWith('d_'))) {
    for (const row of attending) backwardRow(x, row, saved);
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
