/**
 * One rank: its own shard of the case, its named buffers, and what it has brought home.
 *
 * What each operation does is in operations.ts. A query block brings with it what is bound to its
 * rows: the media positions of the text, and backward {dO, LSE, dLSE − D}.
 * @module
 */

import { type BiasPart, BiasSums } from './bias-sums.ts';
import { type Context, HOMES, type HomeName, type Shard } from './context.ts';
import { clocked } from './device/clocked.ts';
import type { Data, Device, Real } from './device/device.ts';
import { contentsOf, NOTHING, type Snapshot } from './observation.ts';
import { OPERATIONS } from './operations.ts';
import type { BufferName, Direction, Kind, Operation } from './schedule.ts';
import { type Held, partOf, Store } from './store.ts';
import type { Message } from './transport/transport.ts';
import { elementsOf, ownLabel, type PartName, partsOf, showLabel } from './wire.ts';

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
  readonly dBias: readonly BiasPart[];
  readonly dSink: Real;
}

/** Operations that only touch this rank, and the two ends of a message. */
export interface Rank {
  readonly begin: (direction: Direction) => void;
  readonly execute: (operation: Operation) => Promise<void>;
  /** What the buffer holds, under the label that it bears. */
  readonly outgoing: (lane: Kind, buffer: BufferName) => Promise<Outgoing>;
  /** Throws where the message is not of the blocks that are expected, or not of its label's size. */
  readonly accept: (
    lane: Kind,
    buffer: BufferName,
    blocks: readonly number[],
    message: Outgoing,
  ) => void;
  readonly result: () => Promise<RankResult>;
  /** All that is held, hashed: for logs that are to show it. */
  readonly observe: () => Promise<Snapshot>;
  /** The most bytes that its buffers held at once. */
  readonly peakBytes: () => number;
  /** Seconds that its device has computed. */
  readonly kernelSeconds: () => number;
}

export type Outgoing = Pick<Message, 'label' | 'payload'>;

/** Makes a rank out of its shard. It may run passes for ever, each backward after a forward one. */
export function makeRank(shard: Shard, machine: Device): Rank {
  const { device, kernelSeconds } = clocked(machine);
  const { bias } = shard.inputs;
  const biasSums =
    bias === undefined ? null : new BiasSums(device, shard.parameters.batch, bias.shape);
  const context: Context = {
    shard,
    device,
    store: new Store(shard.rank, device.bytesPerElement),
    biasSums,
    biasMerged: [],
    direction: 'forward',
    home: new Map(),
  };
  const finished = finishedBefore(shard, device);
  if (finished !== null) context.home.set('out', finished);
  return {
    begin: (direction) => begin(context, direction),
    execute: (operation) => execute(context, operation),
    outgoing: (lane, buffer) => outgoing(context, lane, buffer),
    accept: (lane, buffer, blocks, message) => accept(context, lane, buffer, blocks, message),
    result: () => result(context),
    observe: () => observe(context),
    peakBytes: () => context.store.peakBytes,
    kernelSeconds,
  };
}

/** The rank's own finished block, where its shard brings one along: merged over all keys. */
function finishedBefore({ rank, parameters: p, out, lse }: Shard, device: Device): Held | null {
  const rows = p.batch * p.heads * (p.partition.q[rank] ?? 0);
  if (lse.length !== rows || out.length !== rows * p.head_dim_v) return null;
  const merged = p.partition.kv.map((_, block) => ({ block, from: 0, to: p.heads }));
  const label = { ...ownLabel('result', 'forward', { rank, parameters: p }), merged };
  const parts = new Map([
    ['out', device.write(out)],
    ['lse', device.write(lse)],
  ] as const);
  return { label, parts };
}

/**
 * Starts a pass: nothing that an earlier pass has left is there to be read, but for the finished O
 * and LSE, which a backward pass is about.
 */
function begin(context: Context, direction: Direction): void {
  const { store, biasSums, home } = context;
  context.direction = direction;
  store.clear();
  biasSums?.clear();
  context.biasMerged = [];
  for (const name of HOMES) if (name !== 'out' || direction === 'forward') home.delete(name);
}

async function execute(context: Context, operation: Operation): Promise<void> {
  if (operation.op === 'send' || operation.op === 'receive') {
    throw new Error(`a rank cannot execute "${operation.op}" alone`);
  }
  const run = OPERATIONS[operation.op] as (c: Context, o: Operation) => Promise<void> | void;
  await run(context, operation);
}

async function outgoing(
  { store, device }: Context,
  lane: Kind,
  buffer: BufferName,
): Promise<Outgoing> {
  const { label, parts } = store.get(buffer, lane);
  return { label, payload: await device.pack([...parts.values()]) };
}

const sameBlocks = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((block, n) => block === b[n]);

function accept(
  { shard: { rank, parameters }, store, device, direction }: Context,
  lane: Kind,
  buffer: BufferName,
  blocks: readonly number[],
  { label, payload }: Outgoing,
): void {
  if (label.kind !== lane || label.direction !== direction || !sameBlocks(label.blocks, blocks)) {
    throw new Error(
      `rank ${rank} expected ${direction} ${lane} of block ${blocks.join(', ')}, ` +
        `got ${label.direction} ${showLabel(label)}`,
    );
  }
  const shapes = partsOf(parameters, label);
  const lengths = shapes.map(elementsOf);
  const expected = lengths.reduce((sum, length) => sum + length, 0);
  if (expected !== payload.length) {
    throw new Error(
      `rank ${rank} expected ${expected} elements of ${showLabel(label)}, got ${payload.length}`,
    );
  }
  const data = device.unpack(payload, lengths);
  const parts = new Map<PartName, Data>();
  for (const [n, part] of data.entries()) {
    const name = shapes[n]?.name;
    if (name !== undefined) parts.set(name, part);
  }
  store.set(buffer, { label, parts });
}

async function result({ device, home, biasSums, shard }: Context): Promise<RankResult> {
  const read = async (name: HomeName, part: PartName): Promise<Real> => {
    const held = home.get(name);
    return held === undefined ? device.make(0) : device.read(partOf(held, part));
  };
  const projected = (part: PartName) => read('projected', part);
  // A bias that no pair of this rank met has no gradient here.
  const dBias = home.has('dQ') && biasSums !== null ? await biasSums.read() : [];
  return {
    out: await read('out', 'out'),
    lse: await read('out', 'lse'),
    dQ: await read('dQ', 'dQ'),
    dK: await read('keys', 'dK'),
    dV: await read('keys', 'dV'),
    dY: await projected('dY'),
    dWK: await projected('dWK'),
    dWV: await projected('dWV'),
    dBias,
    dSink: shard.sink.length === 0 ? device.make(0) : await read('sink', 'dSink'),
  };
}

async function observe({
  shard,
  store,
  home,
  biasSums,
  biasMerged,
  device,
}: Context): Promise<Snapshot> {
  const seen: Record<string, Snapshot[string]> = {};
  const contents = async ({ label, parts }: Held) => {
    return contentsOf(label, [await device.pack([...parts.values()])]);
  };
  for (const [name, held] of store.entries()) seen[name] = await contents(held);
  for (const name of HOMES) {
    const held = home.get(name);
    seen[`home ${name}`] = held === undefined ? NOTHING : await contents(held);
  }
  const sums = biasSums === null ? [] : await biasSums.read();
  seen['home bias'] = contentsOf(
    sums.length === 0 ? null : { ...ownLabel('gradients', 'backward', shard), merged: biasMerged },
    sums.map(({ values }) => values),
  );
  return seen;
}
