/**
 * Trace validation by contents: does what a log saw in the buffers follow from event to event?
 *
 * Nothing here is taken from the schedule but which operation it was and which slot it named; blocks,
 * merged sets and hashes are those that were seen. An operation reads what earlier events left, writes
 * what its kind writes, and leaves every other buffer of its rank as it was.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import type { RankEvent } from '../../gpu/interpreter.ts';
import {
  areZeros,
  BUFFERS,
  type BufferName,
  type Contents,
  type Observation,
  type Snapshot,
} from '../../gpu/observation.ts';

/** Where contents part from what they should be: place in the log, rank, and what is wrong. */
export interface Stray {
  readonly at: number;
  readonly rank: number;
  readonly what: string;
}

type Label = Pick<Contents, 'block' | 'merged'>;

/** What has been seen so far: wires by lane and receiver, each rank's last buffers, and origins. */
interface History {
  readonly ranks: number;
  readonly wires: Map<string, Contents>;
  readonly last: Map<number, { readonly pass: number; readonly after: Snapshot }>;
  /** What a rank made of its own inputs alone: the same in every pass of a direction. */
  readonly origins: Map<string, Contents>;
}

/** The buffers that an operation may change. */
function writtenBy({ operation: o, direction }: RankEvent): readonly BufferName[] {
  const backward = direction === 'backward';
  switch (o.op) {
    case 'loadQuery':
      return [`query${o.slot}`, ...(backward ? (['dSink'] as const) : [])];
    case 'initResult':
    case 'merge':
      return [`result${o.slot}`];
    case 'recomputeKV':
      return ['keys'];
    case 'send':
      return [];
    case 'receive':
      return [`${o.lane}${o.slot}`];
    case 'computeBlock':
      return ['delta', ...(backward ? (['sums'] as const) : [])];
    case 'finish':
      return [backward ? 'dQ' : 'out'];
    case 'projectGradients':
      return ['projected'];
  }
}

const sameLabel = (found: Label, block: number, merged: readonly number[]): boolean =>
  found.block === block && isDeepStrictEqual(found.merged, merged);

const isComplete = ({ merged }: Label, ranks: number): boolean =>
  merged.length === ranks && new Set(merged).size === ranks;

const EMPTY: readonly BufferName[] = ['query0', 'query1', 'result0', 'result1', 'delta', 'dQ'];

/** What is wrong with a rank's buffers when a pass begins, or null. */
function wrongStart({ direction, rank }: RankEvent, { before }: Observation, { last }: History) {
  const emptied: readonly BufferName[] = [
    ...EMPTY,
    ...(direction === 'forward' ? ['out' as const] : []),
  ];
  const full = emptied.find((name) => before[name].bytes > 0 || before[name].block !== -1);
  if (full !== undefined) return `${full} is not empty when the pass begins`;
  if (before.sums.merged.length > 0 || !areZeros(before.sums)) return 'sums do not start from zero';
  if (before.dSink.bytes > 0 || before.projected.bytes > 0) return 'gradients of an earlier pass';
  const out = last.get(rank)?.after.out;
  if (direction === 'backward' && out !== undefined && !isDeepStrictEqual(out, before.out)) {
    return 'O and LSE are not those of the pass before';
  }
  return null;
}

/** What is wrong with a message against the wire, or null; keeps the wires. */
function wrongMessage(
  { rank, operation: o }: RankEvent,
  seen: Observation,
  wires: History['wires'],
) {
  if (o.op !== 'send' && o.op !== 'receive') return null;
  const { before, after, message } = seen;
  const slot = `${o.lane}${o.slot}` as const;
  if (message === null) return 'no message';
  if (o.op === 'send') {
    wires.set(`${o.lane} ${o.to}`, message);
    return isDeepStrictEqual(message, before[slot]) ? null : `another message than is in ${slot}`;
  }
  const sent = wires.get(`${o.lane} ${rank}`);
  wires.delete(`${o.lane} ${rank}`);
  if (!isDeepStrictEqual(message, sent)) return 'another message than was sent';
  return isDeepStrictEqual(message, after[slot]) ? null : `${slot} is not the message received`;
}

/** What is wrong with what an operation wrote, by what it read; or null. */
function wrongWrite(
  event: RankEvent,
  { before, after }: Observation,
  ranks: number,
): string | null {
  const { rank, operation: o, direction } = event;
  const wrong = (name: BufferName) =>
    `${name} has block ${after[name].block}, keys [${after[name].merged}]`;
  switch (o.op) {
    case 'loadQuery':
    case 'initResult': {
      const name = `${o.op === 'loadQuery' ? 'query' : 'result'}${o.slot}` as const;
      return sameLabel(after[name], rank, []) ? null : wrong(name);
    }
    case 'computeBlock': {
      const { block } = before[`query${o.slot}`];
      const summed = direction === 'backward' ? [block] : [];
      if (block < 0 || !sameLabel(after.delta, block, [rank])) return wrong('delta');
      return sameLabel(after.sums, rank, [...before.sums.merged, ...summed]) ? null : wrong('sums');
    }
    case 'merge': {
      const name = `result${o.slot}` as const;
      const [{ block, merged }, delta] = [before[name], before.delta];
      if (delta.block !== block) return `block ${delta.block} is merged into block ${block}`;
      if (delta.merged.some((one) => merged.includes(one))) return `[${delta.merged}] merged again`;
      return sameLabel(after[name], block, [...merged, ...delta.merged]) ? null : wrong(name);
    }
    case 'finish': {
      const kept = after[direction === 'backward' ? 'dQ' : 'out'];
      if (!isDeepStrictEqual(kept, before[`result${o.slot}`])) return 'kept what was not there';
      const right = kept.block === rank && isComplete(kept, ranks);
      return right ? null : `finished block ${kept.block} with keys [${kept.merged}]`;
    }
    case 'projectGradients':
      if (!isComplete(before.sums, ranks)) return `projected with blocks [${before.sums.merged}]`;
      return sameLabel(after.projected, rank, before.sums.merged) ? null : wrong('projected');
    default:
      return null;
  }
}

/** What a rank makes of its own inputs, or nothing for other operations. */
function originOf({ operation: o }: RankEvent, { before, after }: Observation) {
  if (o.op === 'loadQuery') return after[`query${o.slot}`];
  if (o.op === 'initResult') return after[`result${o.slot}`];
  return o.op === 'computeBlock' ? before.keys : null;
}

function wrongOrigin(event: RankEvent, seen: Observation, { origins }: History): string | null {
  const found = originOf(event, seen);
  if (found === null) return null;
  const { op } = event.operation;
  const key =
    op === 'computeBlock' ? `keys ${event.rank}` : `${op} ${event.rank} ${event.direction}`;
  const first = origins.get(key) ?? found;
  origins.set(key, first);
  return isDeepStrictEqual(found, first) ? null : 'other numbers of its own than before';
}

function wrongAt(event: RankEvent, history: History): string | null {
  const { rank, pass, operation, seen } = event;
  if (seen === null) return 'nothing was observed';
  const { before, after } = seen;
  const last = history.last.get(rank);
  const begins = last?.pass !== pass;
  const left = begins ? before : last.after;
  const written = writtenBy(event);
  const moved = BUFFERS.find(
    (name) =>
      !isDeepStrictEqual(left[name], before[name]) ||
      (!written.includes(name) && !isDeepStrictEqual(before[name], after[name])),
  );
  const wrong =
    (begins ? wrongStart(event, seen, history) : null) ??
    (moved === undefined ? null : `${operation.op} changed ${moved}, or something else did`) ??
    wrongMessage(event, seen, history.wires) ??
    wrongWrite(event, seen, history.ranks) ??
    wrongOrigin(event, seen, history);
  history.last.set(rank, { pass, after });
  return wrong;
}

/**
 * The first event that saw other contents than those before it leave there; null when all follow.
 * A finished result has met the keys of every rank exactly once, dK and dV every query block.
 */
export function strayContents(log: readonly RankEvent[], ranks: number): Stray | null {
  const history: History = { ranks, wires: new Map(), last: new Map(), origins: new Map() };
  for (const [at, event] of log.entries()) {
    const what = wrongAt(event, history);
    if (what !== null) return { at, rank: event.rank, what };
    const { op } = event.operation;
    const sums = event.seen?.after.sums;
    if (op === 'finish' && event.direction === 'backward' && sums && !isComplete(sums, ranks)) {
      return { at, rank: event.rank, what: `finished with dK and dV of blocks [${sums.merged}]` };
    }
  }
  return null;
}

/**
 * The first rank that saw other contents than in another run of the same case on the same device, or
 * null: neither the transport nor the interleaving may change a bit of any buffer at any time.
 */
export function differingRank(
  log: readonly RankEvent[],
  other: readonly RankEvent[],
  ranks: number,
): number | null {
  const of = (events: readonly RankEvent[], rank: number) =>
    events.filter((event) => event.rank === rank).map(({ order: _, ...event }) => event);
  for (let rank = 0; rank < ranks; rank++) {
    if (!isDeepStrictEqual(of(log, rank), of(other, rank))) return rank;
  }
  return null;
}
