/**
 * Seams: the steps of the host that a fault may replace, each with a name and one meaning.
 *
 * Every step gets the context first and calls other steps through `x.seams`, so a fault that
 * replaces one step leaves all others as they are.
 * @module
 */
import type {
  AttentionCase,
  CaseParameters,
  InputName,
  OutputName,
} from '../../../reference/case/case.ts';
import type { Visibility } from '../../../reference/case/mask.ts';
import type { Precision } from './precision.ts';

export type Pass = 'forward' | 'backward';

/** One query row, and the rank that owns it. */
export interface Row {
  readonly b: number;
  readonly h: number;
  readonly i: number;
  readonly home: number;
}

/** One pair of query and key; `source` is the rank that holds the key. */
export interface Pair extends Row {
  readonly j: number;
  readonly source: number;
  readonly pass: Pass;
}

/** A score that enters the softmax, and the tanh of its softcap (null without). */
export interface Score {
  readonly s: number;
  readonly t: number | null;
}

/** Running maximum, sum and weighted sum over the keys of one shard. */
export interface Running {
  m: number;
  l: number;
  o: Float64Array;
}

/** A normalised partial result of one row. */
export interface Partial_ {
  readonly lse: number;
  readonly o: Float64Array;
}

/** Outputs of the forward pass, unrounded copies of which the backward pass reads. */
export interface ForwardResult {
  out: Float64Array;
  lse: Float64Array;
}

export type Buffers = Partial<Record<OutputName, Float64Array>>;

export interface Seams {
  /** Roundings that differ from the profile's. */
  round(honest: Precision): Precision;
  /** Once per case, before anything. */
  begin(x: Context): void;
  /** A zeroed array of `size` for an output or a sum. */
  buffer(x: Context, name: OutputName, size: number): Float64Array;

  /** Ring: how many hops, and whose keys meet the rows of `home` at a hop. */
  hops(x: Context): number;
  source(x: Context, home: number, step: number): number;
  rowRange(x: Context, home: number, pass: Pass): Range;
  keyRange(x: Context, source: number, pass: Pass, home: number): Range;
  /** Keys of one inner block of the online softmax. */
  tile(x: Context): number;

  /** KV head of query head h. */
  kvHead(x: Context, h: number, pass: Pass): number;
  query(x: Context, at: Pair, c: number): number;
  key(x: Context, at: Pair, c: number): number;
  value(x: Context, at: Pair, c: number): number;
  scale(x: Context, pass: Pass): number;
  /** Σ q·k. */
  dot(x: Context, at: Pair): number;
  /** scale·q·k */
  scaled(x: Context, at: Pair, dot: number): number;
  capped(x: Context, raw: number): Score;
  bias(x: Context, at: Pair): number;
  /** Everything of one pair: scale → softcap → bias; null for a key that is not there. */
  score(x: Context, at: Pair): Score | null;
  visible(x: Context, at: Pair): boolean;
  /** The score of a masked key; null leaves it out. */
  hidden(x: Context, at: Pair): Score | null;
  /** Dropout factor keep/(1 − rate). */
  kappa(x: Context, at: Pair): number;

  /** Online softmax within a shard. */
  running(x: Context, row: Row, source: number): Running;
  maximum(x: Context, m: number, scores: readonly number[], row: Row): number;
  rescale(x: Context, from: number, to: number, row: Row): number;
  exponential(x: Context, s: number, m: number): number;
  /** l and o of a running result after a change of its maximum. */
  rescaled(x: Context, state: Running, alpha: number): void;
  addKey(x: Context, state: Running, at: Pair, e: number): void;
  /** Normalise. */
  shard(x: Context, state: Running, row: Row): Partial_;

  /** A partial result that the case gives, of a merge that is asked by itself. spec (27) */
  part(x: Context, p: number, row: Row): Partial_;
  /** Merge over the ring. */
  start(x: Context, row: Row): Partial_;
  sink(x: Context, row: Row, step: number): Partial_ | null;
  merge(x: Context, a: Partial_, b: Partial_, row: Row, step: number): Partial_;
  /** What travels on to the next rank. */
  carry(x: Context, partial: Partial_, row: Row, step: number): Partial_;
  storeRow(x: Context, row: Row, partial: Partial_, forward: ForwardResult): void;
  /** The forward result as it is handed out and kept for the backward pass. */
  finishForward(x: Context, forward: ForwardResult): ForwardResult;

  /** Backward. */
  savedLse(x: Context, lse: Float64Array, row: Row): number;
  savedOut(x: Context, out: Float64Array, row: Row, c: number): number;
  cotangent(x: Context, row: Row, c: number): number;
  /** dLSE − Σ dO·O */
  delta(x: Context, row: Row, forward: ForwardResult): number;
  /** P of a pair from the LSE. */
  probability(x: Context, at: Pair, s: number, lse: number): number;
  /** κ Σ dO·V */
  dProbability(x: Context, at: Pair): number;
  /** P (dP + delta) */
  dScore(x: Context, at: Pair, p: number, g: number, delta: number): number;
  /** 1 − tanh² */
  capFactor(x: Context, t: number): number;
  /** P κ, the weight of dO in dV. */
  valueWeight(x: Context, at: Pair, p: number): number;
  /** The KV head whose dK, dV a query head adds to; null = to none. */
  gradientHead(x: Context, h: number, name: 'd_k' | 'd_v'): number | null;
  add(x: Context, name: OutputName, old: number, term: number, at: Row): number;
  biasTarget(x: Context, at: Pair): number;
  dSink(x: Context, row: Row, p: number, delta: number): number;
  /** X = Y W: column of component c of KV head g. */
  column(x: Context, g: number, c: number, width: number, pass: Pass): number;
  /** Gradients before they are rounded to the output format. */
  finishBackward(x: Context, gradients: Buffers): void;
  /** Everything that is handed out. */
  finish(x: Context, outputs: Buffers): void;
}

/** Positions from `start` up to and without `stop`. */
export interface Range {
  readonly start: number;
  readonly stop: number;
}

/** A flat tensor with its shape. */
export interface Flat {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}

export interface Context {
  readonly attentionCase: AttentionCase;
  readonly p: CaseParameters;
  readonly seams: Seams;
  readonly round: Precision;
  readonly visible: Visibility;
  /** Each rank's query rows and keys. */
  readonly rows: readonly Range[];
  readonly keys: readonly Range[];
  /** [B, Hq, Sq, d], [B, Hkv, Skv, d], [B, Hkv, Skv, dv]; K and V perhaps recomputed. */
  q: Float64Array;
  k: Float64Array;
  v: Float64Array;
  /** [B, Hq, Sq, dv] and [B, Hq, Sq]; zeros where the case has none. */
  dOut: Float64Array;
  dLse: Float64Array;
  readonly inputs: Partial<Record<InputName, Flat>>;
}
