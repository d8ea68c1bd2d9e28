/**
 * A case dealt out to its ranks, and the ranks' results put together again.
 *
 * Shards lie in shared memory, so that worker threads hold views on them: keys and values are laid
 * out once and never copied or sent afterwards.
 * @module
 */
import type {
  AttentionCase,
  CaseInputs,
  InputName,
  OutputName,
  Outputs,
} from '../reference/case/case.ts';
import {
  block,
  elementCount,
  filled,
  forEachIndex,
  type Tensor,
  tensorOf,
  toFlat,
  zeros,
} from '../reference/numbers/tensor.ts';
import type { BiasPart } from './bias-sums.ts';
import type { Shard } from './context.ts';
import type { Real } from './device/device.ts';
import type { RankResult } from './rank.ts';
import { startOf } from './wire.ts';

/** Element type of a run. */
export type RealName = 'f32' | 'f64';

/** Numbers in memory that worker threads share, rounded to the element type. */
export function shared(real: RealName, values: readonly number[]): Real {
  const memory = new SharedArrayBuffer(values.length * (real === 'f32' ? 4 : 8));
  const array = real === 'f32' ? new Float32Array(memory) : new Float64Array(memory);
  array.set(values);
  return array;
}

/** Inputs that every rank sees whole, in memory that all share: they say what each pair is. */
const HELD: readonly InputName[] = ['mask', 'bias', 'dropout_keep', 'kv_lengths', 'media_key'];

function held(inputs: CaseInputs): CaseInputs {
  const kept: CaseInputs = {};
  for (const name of HELD) {
    const tensor = inputs[name];
    if (tensor === undefined) continue;
    kept[name] = tensorOf<number>(shared('f64', toFlat(tensor)), tensor.shape);
  }
  return kept;
}

/** One shard per rank: its rows, its keys, and what it holds whole. */
export function distribute(attentionCase: AttentionCase, real: RealName): Shard[] {
  const { parameters, inputs } = attentionCase;
  const { batch, heads, seq_q, head_dim_v, partition } = parameters;
  const whole = held(inputs);
  const none = shared(real, []);
  const weights = (name: InputName): Real => {
    const tensor = inputs[name];
    return tensor === undefined ? none : shared(real, toFlat(tensor));
  };
  const [wK, wV, sink] = [weights('w_k'), weights('w_v'), weights('sink')];
  const zero = {
    d_out: zeros([batch, heads, seq_q, head_dim_v]),
    d_lse: zeros([batch, heads, seq_q]),
  };
  return Array.from({ length: partition.ranks }, (_, rank) => {
    const part = (
      name: InputName,
      axis: number,
      sizes: readonly number[],
      fallback?: Tensor,
    ): Real => {
      const tensor = inputs[name] ?? fallback;
      if (tensor === undefined) return none;
      return shared(real, toFlat(block(tensor, axis, startOf(sizes, rank), sizes[rank] ?? 0)));
    };
    return {
      rank,
      parameters,
      q: part('q', 2, partition.q),
      dOut: part('d_out', 2, partition.q, zero.d_out),
      dLse: part('d_lse', 2, partition.q, zero.d_lse),
      mediaText: part('media_text', 1, partition.q),
      k: part('k', 2, partition.kv),
      v: part('v', 2, partition.kv),
      y: part('y', 1, partition.kv),
      wK,
      wV,
      sink,
      ...{ out: none, lse: none },
      inputs: whole,
    };
  });
}

/** Which result of a rank is which output, and along which axis and partition it is a block. */
const PLACES: readonly [
  OutputName,
  Exclude<keyof RankResult, 'dBias'>,
  { axis: number; by: 'q' | 'kv' } | null,
][] = [
  ['out', 'out', { axis: 2, by: 'q' }],
  ['lse', 'lse', { axis: 2, by: 'q' }],
  ['d_q', 'dQ', { axis: 2, by: 'q' }],
  ['d_k', 'dK', { axis: 2, by: 'kv' }],
  ['d_v', 'dV', { axis: 2, by: 'kv' }],
  ['d_y', 'dY', { axis: 1, by: 'kv' }],
  ['d_sink', 'dSink', null],
  ['d_w_k', 'dWK', null],
  ['d_w_v', 'dWV', null],
];

function shapeOf({ parameters: p, inputs }: AttentionCase, name: OutputName): number[] {
  const like: Record<OutputName, () => number[]> = {
    out: () => [p.batch, p.heads, p.seq_q, p.head_dim_v],
    lse: () => [p.batch, p.heads, p.seq_q],
    d_q: () => [p.batch, p.heads, p.seq_q, p.head_dim],
    d_k: () => [p.batch, p.kv_heads, p.seq_kv, p.head_dim],
    d_v: () => [p.batch, p.kv_heads, p.seq_kv, p.head_dim_v],
    d_bias: () => inputs.bias?.shape ?? [],
    d_sink: () => [p.heads],
    d_y: () => inputs.y?.shape ?? [],
    d_w_k: () => inputs.w_k?.shape ?? [],
    d_w_v: () => inputs.w_v?.shape ?? [],
  };
  return like[name]();
}

/** Numbers of some kind, and how results of ranks are read as such. */
export interface Gathering<T> {
  readonly zero: T;
  readonly add: (a: T, b: T) => T;
  readonly valuesOf: (values: Real) => ArrayLike<T>;
}

const numbers: Gathering<number> = { zero: 0, add: (a, b) => a + b, valuesOf: (values) => values };

/** Adds a part of dBias at its places. */
function addBiasPart<T>(
  { zero, add, valuesOf }: Gathering<T>,
  whole: Tensor<T>,
  { places, values }: BiasPart,
): void {
  const extents = places.map((axis) => axis?.length ?? 1);
  // The bias may have fewer axes than four; those it lacks are on the left.
  const lacking = places.length - whole.shape.length;
  const given = valuesOf(values);
  let n = 0;
  forEachIndex(extents, (index) => {
    const at = index.map((i, axis) => places[axis]?.[i] ?? 0).slice(lacking);
    whole.set(...at, add(whole.get(...at), given[n++] ?? zero));
  });
}

/** A rank's block of an output, put or added into its place. */
function gatherBlock<T>(
  { zero, add, valuesOf }: Gathering<T>,
  attentionCase: AttentionCase,
  whole: Tensor<T>,
  [name, key, sharded]: (typeof PLACES)[number],
  [result, rank]: readonly [RankResult, number],
): void {
  const sizes = sharded === null ? [] : attentionCase.parameters.partition[sharded.by];
  const place =
    sharded === null ? whole : block(whole, sharded.axis, startOf(sizes, rank), sizes[rank] ?? 0);
  const values = valuesOf(result[key]);
  if (values.length !== elementCount(place.shape)) {
    throw new Error(
      `rank ${rank} expected ${elementCount(place.shape)} elements of ${name}, got ${values.length}`,
    );
  }
  let n = 0;
  forEachIndex(place.shape, (at) => {
    const value = values[n++] ?? zero;
    place.set(...at, sharded === null ? add(place.get(...at), value) : value);
  });
}

/** Wanted outputs of the whole case: blocks side by side, replicated sums added in rank order. */
export function gatherAs<T>(
  gathering: Gathering<T>,
  attentionCase: AttentionCase,
  results: readonly RankResult[],
): Outputs<T> {
  const { wants } = attentionCase.parameters;
  const outputs: Outputs<T> = {};
  const empty = (name: OutputName) => filled(shapeOf(attentionCase, name), gathering.zero);
  for (const place of PLACES) {
    const [name] = place;
    if (!wants.includes(name)) continue;
    const whole = empty(name);
    for (const [rank, result] of results.entries()) {
      gatherBlock(gathering, attentionCase, whole, place, [result, rank]);
    }
    outputs[name] = whole;
  }
  if (wants.includes('d_bias')) {
    const whole = empty('d_bias');
    for (const { dBias } of results) for (const part of dBias) addBiasPart(gathering, whole, part);
    outputs.d_bias = whole;
  }
  return outputs;
}

/** Wanted outputs as numbers. */
export const gather = (attentionCase: AttentionCase, results: readonly RankResult[]): Outputs =>
  gatherAs(numbers, attentionCase, results);
