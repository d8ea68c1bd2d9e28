/**
 * What each operation of a schedule does to a rank: one function an operation.
 * @module
 */
import { compute, wholeResult } from './compute.ts';
import type { Context } from './context.ts';
import type { Data, ProjectionShape } from './device/device.ts';
import {
  emptyLike,
  expandedLabel,
  headsFor,
  isOwn,
  loadedQuery,
  mergedLabel,
  paddedLabel,
  reducedLabel,
} from './labels.ts';
import type { BufferName, Operation } from './schedule.ts';
import { type Held, partOf } from './store.ts';
import { joinBlocks, joinHeads, putHeads, takeBlocks, takeHeads } from './tiles.ts';
import { elementsOf, type Label, ownLabel, type PartName, partsOf, showLabel } from './wire.ts';

/** Operations that touch one rank alone. */
export type LocalName = Exclude<Operation['op'], 'send' | 'receive'>;
type Of<Name extends LocalName> = Extract<Operation, { readonly op: Name }>;
type Actions = {
  readonly [Name in LocalName]: (context: Context, operation: Of<Name>) => Promise<void> | void;
};

const mapOf = (parts: Partial<Record<PartName, Data>>): ReadonlyMap<PartName, Data> =>
  new Map(Object.entries(parts) as [PartName, Data][]);

/** The rank's own queries; backward with dO, LSE and dLSE − D, or O, and dSink of its rows. */
async function loadQuery(context: Context, { into, sends }: Of<'loadQuery'>): Promise<void> {
  const { shard, device, store, direction, home } = context;
  const { write } = device;
  const label = loadedQuery(ownLabel('query', direction, shard), sends);
  const own = { q: write(shard.q), mediaText: write(shard.mediaText) };
  if (direction === 'forward') {
    store.set(into, { label, parts: mapOf(own) });
    return;
  }
  const finished = home.get('out');
  if (finished === undefined)
    throw new Error(`rank ${shard.rank} has no finished block to go back`);
  const [out, lse] = [partOf(finished, 'out'), partOf(finished, 'lse')];
  const dOut = write(shard.dOut);
  const { head_dim_v, batch } = shard.parameters;
  const dLse = write(shard.dLse);
  const isSunk = shard.sink.length > 0;
  const delta =
    sends === undefined || isSunk ? await device.delta(dOut, out, dLse, head_dim_v) : null;
  const sent = new Map(mapOf({ ...own, dOut, lse }));
  if (sends !== undefined) sent.set('out', out);
  else if (delta !== null) sent.set('delta', delta);
  if (sends === 'O, dLSE') sent.set('dLse', dLse);
  store.set(into, { label, parts: sent });
  if (!isSunk || delta === null) return;
  const dSink = await device.sinkGradient(device.writeLse(shard.sink), lse, delta, batch);
  home.set('sink', { label, parts: mapOf({ dSink }) });
}

function loadKeys({ shard, device, store, direction }: Context, { into }: Of<'loadKeys'>): void {
  const parts = mapOf({ k: device.write(shard.k), v: device.write(shard.v) });
  store.set(into, { label: ownLabel('keys', direction, shard), parts });
}

function projection({ shard }: Context, width: number): ProjectionShape {
  const { batch, kv_heads, dim_y = 0, partition } = shard.parameters;
  const keys = partition.kv[shard.rank] ?? 0;
  return { batch, kvHeads: kv_heads, keys, width, dimY: dim_y };
}

async function recomputeKV(context: Context, { into }: Of<'recomputeKV'>): Promise<void> {
  const { shard, device, store, direction } = context;
  const { head_dim, head_dim_v } = shard.parameters;
  const [y, wK, wV] = [device.write(shard.y), device.write(shard.wK), device.write(shard.wV)];
  const k = await device.project(y, wK, projection(context, head_dim));
  const v = await device.project(y, wV, projection(context, head_dim_v));
  store.set(into, { label: ownLabel('keys', direction, shard), parts: mapOf({ k, v }) });
}

/** Zeros of every part of a label. */
function zerosOf({ shard, device }: Context, label: Label): Map<PartName, ReturnType<typeof make>> {
  const { make } = device;
  const parts = partsOf(shard.parameters, label);
  return new Map(parts.map((shape) => [shape.name, make(elementsOf(shape))]));
}

/** The empty partial: O = 0, LSE = −∞, or the sink alone: LSE = sink. Backward a zero gradient. */
function emptyResult(context: Context, label: Label, sink: boolean): Held {
  const { shard } = context;
  const { heads } = label;
  const zeros = zerosOf(context, label);
  const lse = zeros.get('lse');
  if (lse !== undefined) {
    const count = heads.to - heads.from;
    const rows = lse.length / (shard.parameters.batch * count);
    for (let row = 0; row < lse.length; row++) {
      const own = shard.sink[heads.from + (Math.floor(row / rows) % count)];
      lse[row] = sink && own !== undefined ? own : Number.NEGATIVE_INFINITY;
    }
  }
  return { label, parts: written(context, zeros) };
}

function initResult(context: Context, { into, like, sink }: Of<'initResult'>): void {
  const { store } = context;
  store.set(into, emptyResult(context, emptyLike(store.get(like, 'query').label), sink));
}

async function padHeads(context: Context, { buffer, into }: Of<'padHeads'>): Promise<void> {
  const { device, shard, store } = context;
  const piece = store.get(buffer);
  const label = paddedLabel(piece.label);
  const empty =
    label.kind === 'result'
      ? emptyResult(context, label, false)
      : { label, parts: written(context, zerosOf(context, label)) };
  const { parts } = await putHeads(device, shard.parameters, empty, piece);
  store.set(into, { label, parts });
}

function written(
  { device }: Context,
  arrays: ReturnType<typeof zerosOf>,
): ReadonlyMap<PartName, Data> {
  const write = (name: PartName) => (name === 'lse' ? device.writeLse : device.write);
  return new Map([...arrays].map(([name, values]) => [name, write(name)(values)]));
}

function initGradients(context: Context, { into, like }: Of<'initGradients'>): void {
  const { store } = context;
  const label = emptyLike(store.get(like, 'keys').label);
  store.set(into, { label, parts: written(context, zerosOf(context, label)) });
}

async function computeBlock(context: Context, operation: Of<'computeBlock'>): Promise<void> {
  const { store } = context;
  const { query, keys, into, sums } = operation;
  const done = await compute(context, store.get(query, 'query'), store.get(keys, 'keys'));
  store.set(into, await wholeResult(context, done));
  for (const { gradients } of done) {
    if (gradients === null) continue;
    if (sums === null) throw new Error(`dK and dV of "${query}" over "${keys}" go nowhere`);
    store.set(sums, await merged(context, store.get(sums, 'gradients'), gradients));
  }
}

/** `whole` with a piece of its heads put into it: merged where it is {O, LSE}, else added. */
async function merged(context: Context, whole: Held, piece: Held): Promise<Held> {
  const { device, shard } = context;
  const e = shard.parameters;
  const label = mergedLabel(whole.label, piece.label);
  const part = await takeHeads(device, e, whole, piece.label.heads);
  const parts = new Map<PartName, Data>();
  if (label.kind === 'result' && label.direction === 'forward') {
    const partial = (held: Held) => ({ out: partOf(held, 'out'), lse: partOf(held, 'lse') });
    const { out, lse } = await device.merge(partial(part), partial(piece), e.head_dim_v);
    parts.set('out', out).set('lse', lse);
  } else {
    for (const [name, data] of part.parts) {
      parts.set(name, await device.add(data, partOf(piece, name)));
    }
  }
  const put = await putHeads(device, e, whole, { label: part.label, parts });
  return { label, parts: put.parts };
}

async function merge(context: Context, { buffer, into }: Of<'merge'>): Promise<void> {
  const { store } = context;
  store.set(into, await merged(context, store.get(into), store.get(buffer)));
}

async function join(context: Context, { buffers, into }: Of<'join'>): Promise<void> {
  const { device, shard, store } = context;
  const pieces = buffers.map((name: BufferName) => store.get(name));
  store.set(into, await joinBlocks(device, shard.parameters, pieces));
}

async function takeSomeBlocks(context: Context, operation: Of<'takeBlocks'>): Promise<void> {
  const { device, shard, store } = context;
  const { buffer, into, blocks } = operation;
  store.set(into, await takeBlocks(device, shard.parameters, store.get(buffer), blocks));
}

/** The heads that a range of query heads needs: these themselves, or the KV heads that they read. */
async function takeSomeHeads(context: Context, operation: Of<'takeHeads'>): Promise<void> {
  const { device, shard, store } = context;
  const { buffer, into, from, to } = operation;
  const held = store.get(buffer);
  const range = headsFor(from, to, shard.parameters.heads, held.label.heads.of);
  store.set(into, await takeHeads(device, shard.parameters, held, range));
}

/** Keys and values once for every query head. */
async function expandHeads(context: Context, { buffer, into }: Of<'expandHeads'>): Promise<void> {
  const { device, shard, store } = context;
  const e = shard.parameters;
  const held = store.get(buffer, 'keys');
  const copies: Held[] = [];
  for (let h = 0; h < e.heads; h++) {
    const one = headsFor(h, h + 1, e.heads, held.label.heads.of);
    const { label, parts } = await takeHeads(device, e, held, one);
    copies.push({ label: { ...label, heads: { from: h, to: h + 1, of: e.heads } }, parts });
  }
  const { parts } = await joinHeads(device, e, copies);
  store.set(into, { label: expandedLabel(e, held.label), parts });
}

/** dK and dV of the query heads that share a KV head, added in their order. */
async function reduceHeads(context: Context, { buffer, into }: Of<'reduceHeads'>): Promise<void> {
  const { device, shard, store } = context;
  const e = shard.parameters;
  const held = store.get(buffer, 'gradients');
  const group = e.heads / e.kv_heads;
  const sums: Held[] = [];
  for (let g = 0; g < e.kv_heads; g++) {
    const [first, ...others] = await Promise.all(
      Array.from({ length: group }, (_, n) => {
        const h = g * group + n;
        return takeHeads(device, e, held, { from: h, to: h + 1, of: e.heads });
      }),
    );
    if (first === undefined) continue;
    const parts = new Map(first.parts);
    for (const other of others) {
      for (const [name, data] of parts)
        parts.set(name, await device.add(data, partOf(other, name)));
    }
    sums.push({ label: { ...first.label, heads: { from: g, to: g + 1, of: e.kv_heads } }, parts });
  }
  const { parts } = await joinHeads(device, e, sums);
  store.set(into, { label: reducedLabel(e, held.label), parts });
}

function finish(context: Context, { buffer }: Of<'finish'>): void {
  const { store, home, direction, shard } = context;
  const held = store.get(buffer);
  if (!isOwn(shard.parameters, shard.rank, held.label)) {
    throw new Error(
      `rank ${shard.rank} expected to finish its own block, got ${showLabel(held.label)}`,
    );
  }
  if (held.label.kind === 'gradients') home.set('keys', held);
  else home.set(direction === 'forward' ? 'out' : 'dQ', held);
}

async function projectGradients(context: Context): Promise<void> {
  const { shard, device, home } = context;
  const { head_dim, head_dim_v } = shard.parameters;
  const held = home.get('keys');
  if (held === undefined) throw new Error(`rank ${shard.rank} has no dK and dV to project`);
  const [dK, dV] = [partOf(held, 'dK'), partOf(held, 'dV')];
  const [y, wK, wV] = [device.write(shard.y), device.write(shard.wK), device.write(shard.wV)];
  const [forK, forV] = [projection(context, head_dim), projection(context, head_dim_v)];
  const dWK = await device.projectWeights(y, dK, forK);
  const dWV = await device.projectWeights(y, dV, forV);
  const fromK = await device.projectFeatures(dK, wK, forK);
  const dY = await device.add(fromK, await device.projectFeatures(dV, wV, forV));
  home.set('projected', { label: held.label, parts: mapOf({ dY, dWK, dWV }) });
}

export const OPERATIONS: Actions = {
  loadQuery,
  loadKeys,
  recomputeKV,
  initResult,
  initGradients,
  computeBlock,
  merge,
  join,
  takeBlocks: takeSomeBlocks,
  takeHeads: takeSomeHeads,
  padHeads,
  expandHeads,
  reduceHeads,
  release: ({ store }, { buffer }) => store.release(buffer),
  finish,
  projectGradients,
};
