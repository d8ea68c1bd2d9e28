/**
 * One rank: its own shard of the case, its double buffers, and what each operation does to them.
 *
 * Keys, values (or visual features), and whatever is bound to keys stay here. A query block brings
 * with it what is bound to its rows: the media positions of the text, and backward {dO, LSE, delta}.
 * @module
 */
import type { AttentionCase, CaseParameters } from '../reference/case.ts';
import { visibility } from '../reference/mask.ts';
import { broadcastGet, broadcastIndex, flatOf, type Tensor, zeros } from '../reference/tensor.ts';
import type {
  Block,
  BlockShape,
  Cotangents,
  Device,
  Partial,
  ProjectionShape,
  Real,
} from './device/device.ts';
import { pack, queryLengths, resultLengths, startOf, unpack } from './message-layout.ts';
import { contentsOf, type Held, NOTHING, type Snapshot } from './observation.ts';
import type { Direction, Lane, Operation, Slot } from './schedule.ts';
import type { Message } from './transport/transport.ts';

/** A rank's share of a case. Arrays are views on memory that the caller owns. */
export interface Shard {
  readonly rank: number;
  readonly parameters: CaseParameters;
  /** Own rows: q [B, Hq, rows, d], dOut [B, Hq, rows, dv], dLse [B, Hq, rows], mediaText [B, rows]. */
  readonly q: Real;
  readonly dOut: Real;
  readonly dLse: Real;
  readonly mediaText: Real;
  /** Own keys: k [B, Hkv, keys, d] and v [B, Hkv, keys, dv], or y [B, keys, dim_y] and the weights. */
  readonly k: Real;
  readonly v: Real;
  readonly y: Real;
  readonly wK: Real;
  readonly wV: Real;
  /** Inputs bound to keys or to nothing, whole: mask, bias, dropout_keep, kv_lengths, media_key, sink. */
  readonly inputs: AttentionCase['inputs'];
}

/** What a rank has at the end: its own rows, its own keys, and its part of the replicated sums. */
export interface RankResult {
  readonly out: Real;
  readonly lse: Real;
  readonly dQ: Real;
  readonly dK: Real;
  readonly dV: Real;
  readonly dY: Real;
  readonly dWK: Real;
  readonly dWV: Real;
  readonly dBias: Float64Array;
  readonly dSink: Float64Array;
}

/** Operations that only touch this rank, and the two ends of a message. */
export interface Rank {
  readonly execute: (operation: Operation) => void;
  /** What the slot holds, under the label that it bears. */
  readonly outgoing: (lane: Lane, slot: Slot) => Message;
  readonly accept: (lane: Lane, slot: Slot, block: number, message: Message) => void;
  readonly begin: (direction: Direction) => void;
  readonly result: () => RankResult;
  /** All that is held, hashed: for logs that are to show it. */
  readonly observe: () => Snapshot;
}

/** Pairs of a query block and this rank's keys: who sees whom, bias, and dropout factor. */
interface Pairs {
  readonly visible: Real;
  readonly bias: Real;
  readonly kappa: Real;
}

/** The media positions of a travelled block as the case's own tensor, at their global rows. */
function mediaTensor(p: CaseParameters, rows: number, start: number, mediaText: Real): Tensor {
  const tensor = zeros([p.batch, p.seq_q]);
  for (let b = 0; b < p.batch; b++) {
    for (let i = 0; i < rows; i++) tensor.set(b, start + i, mediaText[b * rows + i] ?? 0);
  }
  return tensor;
}

function makePairs(device: Device, shard: Shard, block: number, mediaText: Real): Pairs {
  const { parameters: p, inputs, rank } = shard;
  const { q, kv } = p.partition;
  const [rows, keys] = [q[block] ?? 0, kv[rank] ?? 0];
  const [row0, key0] = [startOf(q, block), startOf(kv, rank)];
  const media = p.media === null ? {} : { media_text: mediaTensor(p, rows, row0, mediaText) };
  const visible = visibility({
    parameters: p,
    inputs: { ...inputs, ...media },
    judging: 'structured',
  });
  const { bias, dropout_keep: keep } = inputs;
  const count = p.batch * p.heads * rows * keys;
  const pairs = {
    visible: device.make(count),
    bias: device.make(count),
    kappa: device.make(count).fill(1),
  };
  const kept = 1 / (1 - p.dropout_rate);
  for (let n = 0; n < count; n++) {
    const j = key0 + (n % keys);
    const i = row0 + (Math.floor(n / keys) % rows);
    const h = Math.floor(n / (keys * rows)) % p.heads;
    const b = Math.floor(n / (keys * rows * p.heads));
    if (!visible(b, h, i, j)) continue;
    pairs.visible[n] = 1;
    if (bias !== undefined) pairs.bias[n] = broadcastGet(bias, [b, h, i, j]);
    if (keep !== undefined) pairs.kappa[n] = kept * broadcastGet(keep, [b, h, i, j]);
  }
  return pairs;
}

/** Numbers that the device computes with, and their label. */
type HeldHere = Held & { readonly parts: readonly Real[] };

/** Everything a rank holds between operations. */
interface Memory {
  direction: Direction;
  k: Real;
  v: Real;
  /** The query message and the result message, by slot, and the last partial result. */
  readonly query: [HeldHere, HeldHere];
  readonly result: [HeldHere, HeldHere];
  delta: HeldHere;
  /** Home of the rows in `done`, and whose keys are in them. */
  readonly home: Record<Direction, Pick<Held, 'block' | 'merged'>>;
  /** Query blocks in dK, dV and dBias, and in what these are projected to. */
  summed: readonly number[];
  projected: readonly number[];
  readonly pairs: Map<number, Pairs & BlockShape>;
  done: { -readonly [name in keyof RankResult]: RankResult[name] };
}

/** Makes a rank out of its shard. It may run passes for ever, each backward after a forward one. */
export function makeRank(shard: Shard, device: Device): Rank {
  const { make } = device;
  const memory: Memory = {
    direction: 'forward',
    k: shard.k,
    v: shard.v,
    query: [NOTHING, NOTHING],
    result: [NOTHING, NOTHING],
    delta: NOTHING,
    home: { forward: NOTHING, backward: NOTHING },
    summed: [],
    projected: [],
    pairs: new Map(),
    done: { out: make(0), lse: make(0), ...noGradients(make) },
  };
  const context: Context = { shard, device, memory };
  return {
    begin: (direction) => begin(context, direction),
    execute: (operation) => execute(context, operation),
    outgoing: (lane, slot) => {
      const { parts, block, merged } = memory[lane][slot];
      return { block, merged, payload: pack(make, parts) };
    },
    accept: (lane, slot, block, message) => accept(context, lane, slot, block, message),
    result: () => memory.done,
    observe: () => observe(context),
  };
}

function observe({ shard: { rank: block }, memory }: Context): Snapshot {
  const { query, result, k, v, home, done, summed, projected } = memory;
  return {
    query0: contentsOf(query[0]),
    query1: contentsOf(query[1]),
    result0: contentsOf(result[0]),
    result1: contentsOf(result[1]),
    delta: contentsOf(memory.delta),
    keys: contentsOf({ parts: [k, v], block, merged: [] }),
    out: contentsOf({ parts: [done.out, done.lse], ...home.forward }),
    dQ: contentsOf({ parts: [done.dQ], ...home.backward }),
    sums: contentsOf({ parts: [done.dK, done.dV, done.dBias], block, merged: summed }),
    dSink: contentsOf({ parts: [done.dSink], block, merged: [] }),
    projected: contentsOf({ parts: [done.dY, done.dWK, done.dWV], block, merged: projected }),
  };
}

interface Context {
  readonly shard: Shard;
  readonly device: Device;
  readonly memory: Memory;
}

/** No gradients at all: none of them exists before its pass has begun. */
function noGradients(make: Device['make']): Omit<RankResult, 'out' | 'lse'> {
  const [dBias, dSink] = [new Float64Array(0), new Float64Array(0)];
  const [dQ, dK, dV, dY, dWK, dWV] = [make(0), make(0), make(0), make(0), make(0), make(0)];
  return { dQ, dK, dV, dY, dWK, dWV, dBias, dSink };
}

/**
 * Starts a pass: whatever adds up starts from zero, and nothing that an earlier pass has left is
 * there to be read, but for the finished O and LSE, which a backward pass is about.
 */
function begin({ shard, device, memory }: Context, direction: Direction): void {
  const { parameters: p, rank, inputs } = shard;
  const { make } = device;
  memory.direction = direction;
  [memory.k, memory.v, memory.delta] = [shard.k, shard.v, NOTHING];
  memory.query.fill(NOTHING);
  memory.result.fill(NOTHING);
  [memory.summed, memory.projected, memory.home.backward] = [[], [], NOTHING];
  if (direction === 'forward') memory.home.forward = NOTHING;
  const { out, lse } = direction === 'forward' ? { out: make(0), lse: make(0) } : memory.done;
  memory.done = { out, lse, ...noGradients(make) };
  if (direction === 'forward') return;
  const keys = p.batch * p.kv_heads * (p.partition.kv[rank] ?? 0);
  const biasCount = inputs.bias?.shape.reduce((product, extent) => product * extent, 1);
  memory.done.dK = make(keys * p.head_dim);
  memory.done.dV = make(keys * p.head_dim_v);
  memory.done.dBias = new Float64Array(biasCount ?? 0);
}

function accept(
  { shard, memory }: Context,
  lane: Lane,
  slot: Slot,
  block: number,
  message: Message,
): void {
  const p = shard.parameters;
  if (message.block !== block) {
    throw new Error(
      `rank ${shard.rank} expected block ${block} on lane ${lane}, got ${message.block}`,
    );
  }
  const rows = p.partition.q[block] ?? 0;
  const lengths = (lane === 'query' ? queryLengths : resultLengths)(p, rows, memory.direction);
  const { merged, payload } = message;
  memory[lane][slot] = { parts: unpack(payload, lengths), block: message.block, merged };
}

function execute(context: Context, operation: Operation): void {
  switch (operation.op) {
    case 'loadQuery':
      loadQuery(context, operation.slot);
      break;
    case 'initResult':
      initResult(context, operation.slot);
      break;
    case 'recomputeKV':
      recompute(context);
      break;
    case 'computeBlock':
      computeBlock(context, operation.slot, operation.block);
      break;
    case 'merge':
      mergeDelta(context, operation.slot);
      break;
    case 'finish':
      finish(context, operation.slot);
      break;
    case 'projectGradients':
      projectGradients(context);
      break;
    default:
      throw new Error(`a rank cannot execute "${operation.op}" alone`);
  }
}

function loadQuery({ shard, device, memory }: Context, slot: Slot): void {
  const parts = [shard.q, shard.mediaText];
  if (memory.direction === 'backward') {
    const { out, lse } = memory.done;
    const delta = device.delta(shard.dOut, out, shard.dLse, shard.parameters.head_dim_v);
    memory.done.dSink = sinkGradient(shard, lse, delta);
    parts.push(shard.dOut, lse, delta);
  }
  memory.query[slot] = { parts, block: shard.rank, merged: [] };
}

/** dSink = Σ P_sink (dLSE − D) over this rank's rows. spec (18) */
function sinkGradient(shard: Shard, lse: Real, delta: Real): Float64Array {
  const { sink } = shard.inputs;
  const { batch, heads, partition } = shard.parameters;
  const dSink = new Float64Array(sink === undefined ? 0 : heads);
  if (sink === undefined) return dSink;
  const rows = partition.q[shard.rank] ?? 0;
  for (let row = 0; row < batch * heads * rows; row++) {
    const h = Math.floor(row / rows) % heads;
    const p = Math.exp(sink.get(h) - (lse[row] ?? 0));
    dSink[h] = (dSink[h] ?? 0) + p * (delta[row] ?? 0);
  }
  return dSink;
}

/** The empty partial: O = 0, LSE = −∞, or the sink alone: LSE = sink. Backward a zero gradient. */
function initResult({ shard, device, memory }: Context, slot: Slot): void {
  const { parameters: p, inputs, rank } = shard;
  const rows = p.partition.q[rank] ?? 0;
  const parts = resultLengths(p, rows, memory.direction).map((length) => device.make(length));
  const lse = parts[1];
  if (lse !== undefined) {
    lse.fill(Number.NEGATIVE_INFINITY);
    const { sink } = inputs;
    if (sink !== undefined) {
      for (let row = 0; row < lse.length; row++)
        lse[row] = sink.get(Math.floor(row / rows) % p.heads);
    }
  }
  memory.result[slot] = { parts, block: rank, merged: [] };
}

function projection(shard: Shard, width: number): ProjectionShape {
  const { batch, kv_heads, dim_y = 0, partition } = shard.parameters;
  const keys = partition.kv[shard.rank] ?? 0;
  return { batch, kvHeads: kv_heads, keys, width, dimY: dim_y };
}

function recompute({ shard, device, memory }: Context): void {
  const { head_dim, head_dim_v } = shard.parameters;
  memory.k = device.project(shard.y, shard.wK, projection(shard, head_dim));
  memory.v = device.project(shard.y, shard.wV, projection(shard, head_dim_v));
}

function blockShape(shard: Shard, block: number): BlockShape {
  const p = shard.parameters;
  return {
    batch: p.batch,
    heads: p.heads,
    kvHeads: p.kv_heads,
    rows: p.partition.q[block] ?? 0,
    keys: p.partition.kv[shard.rank] ?? 0,
    headDim: p.head_dim,
    headDimV: p.head_dim_v,
    scale: p.scale,
    softcap: p.softcap,
  };
}

function computeBlock({ shard, device, memory }: Context, slot: Slot, block: number): void {
  const { parts, block: held } = memory.query[slot];
  const [q, mediaText, dOut, lse, delta] = parts;
  const label = { block: held, merged: [shard.rank] };
  if (q === undefined || mediaText === undefined) throw new Error(`query slot ${slot} is empty`);
  const known = memory.pairs.get(block);
  const fixed = known ?? {
    ...blockShape(shard, block),
    ...makePairs(device, shard, block, mediaText),
  };
  if (known === undefined) memory.pairs.set(block, fixed);
  const input: Block = Object.assign({ q, k: memory.k, v: memory.v }, fixed);
  if (memory.direction === 'forward') {
    const { out, lse: partialLse } = device.forward(input);
    memory.delta = { parts: [out, partialLse], ...label };
    return;
  }
  if (dOut === undefined || lse === undefined || delta === undefined) {
    throw new Error(`query slot ${slot} carries no cotangents`);
  }
  const cotangents: Cotangents = { dOut, lse, delta };
  const { dQ, dK, dV, dS } = device.backward(input, cotangents);
  memory.done.dK = device.add(memory.done.dK, dK);
  memory.done.dV = device.add(memory.done.dV, dV);
  addBiasGradient(shard, memory, block, dS);
  memory.summed = [...memory.summed, held];
  memory.delta = { parts: [dQ], ...label };
}

/** dBias += dS, summed over the axes along which the bias broadcasts. spec (17) */
function addBiasGradient(shard: Shard, memory: Memory, block: number, dS: Real): void {
  const { parameters: p, inputs, rank } = shard;
  const shape = inputs.bias?.shape;
  if (shape === undefined) return;
  const { q, kv } = p.partition;
  const [rows, keys] = [q[block] ?? 0, kv[rank] ?? 0];
  const [row0, key0] = [startOf(q, block), startOf(kv, rank)];
  for (let n = 0; n < dS.length; n++) {
    const index = [
      Math.floor(n / (keys * rows * p.heads)),
      Math.floor(n / (keys * rows)) % p.heads,
      row0 + (Math.floor(n / keys) % rows),
      key0 + (n % keys),
    ];
    const at = flatOf(shape, broadcastIndex(shape, index));
    memory.done.dBias[at] = (memory.done.dBias[at] ?? 0) + (dS[n] ?? 0);
  }
}

function mergeDelta({ shard, device, memory }: Context, slot: Slot): void {
  const [first, second] = memory.result[slot].parts;
  const [delta, deltaLse] = memory.delta.parts;
  const { block, merged: before } = memory.result[slot];
  const label = { block, merged: [...before, ...memory.delta.merged] };
  if (first === undefined || delta === undefined) throw new Error(`result slot ${slot} is empty`);
  if (memory.direction === 'backward') {
    memory.result[slot] = { parts: [device.add(first, delta)], ...label };
    return;
  }
  if (second === undefined || deltaLse === undefined)
    throw new Error('a partial result has no LSE');
  const a: Partial = { out: first, lse: second };
  const merged = device.merge(a, { out: delta, lse: deltaLse }, shard.parameters.head_dim_v);
  memory.result[slot] = { parts: [merged.out, merged.lse], ...label };
}

function finish({ memory }: Context, slot: Slot): void {
  const { parts, ...label } = memory.result[slot];
  const [first, second] = parts;
  if (first === undefined) throw new Error(`result slot ${slot} is empty`);
  memory.home[memory.direction] = label;
  if (memory.direction === 'backward') memory.done.dQ = first;
  else if (second === undefined) throw new Error('a finished block has no LSE');
  else {
    memory.done.out = first;
    memory.done.lse = second;
  }
}

function projectGradients({ shard, device, memory }: Context): void {
  const { head_dim, head_dim_v } = shard.parameters;
  const { dK, dV } = memory.done;
  memory.projected = memory.summed;
  const [forK, forV] = [projection(shard, head_dim), projection(shard, head_dim_v)];
  memory.done.dWK = device.projectWeights(shard.y, dK, forK);
  memory.done.dWV = device.projectWeights(shard.y, dV, forV);
  memory.done.dY = device.add(
    device.projectFeatures(dK, shard.wK, forK),
    device.projectFeatures(dV, shard.wV, forV),
  );
}
