/**
 * Trace validation by contents: does what a log saw in the buffers follow from event to event?
 *
 * Nothing here is taken from the schedule but which operation it was and which buffers it named;
 * blocks, heads, contributions and hashes are those that were seen. An operation reads what earlier
 * events left, writes what its kind writes, under the label that gpu/labels.ts gives it, and leaves
 * every other buffer of its rank as it was. No contribution is ever in a buffer twice.
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import type { RankEvent } from '../../gpu/interpreter.ts';
import { gradientsOf, isOwn, relabel, WHOLE_LABELS } from '../../gpu/labels.ts';
import {
  areZeros,
  type Contents,
  NOTHING,
  type Observation,
  type Snapshot,
} from '../../gpu/observation.ts';
import { type Extents, elementCount, type Label, showLabel } from '../../gpu/wire.ts';

/** Where contents part from what they should be: place in the log, rank, and what is wrong. */
export interface Stray {
  readonly at: number;
  readonly rank: number;
  readonly what: string;
}

export interface ContentOptions {
  /** Pairs of a query block and a KV block that need not be computed; none when absent. */
  readonly isSkipped?: (block: number, keys: number) => boolean;
}

/** What has been seen so far: wires by channel, each rank's last buffers, and origins. */
interface History {
  readonly extents: Extents;
  readonly isSkipped: NonNullable<ContentOptions['isSkipped']>;
  readonly wires: Map<string, Contents>;
  readonly last: Map<number, { readonly pass: number; readonly after: Snapshot }>;
  /** What a rank made of its own inputs alone, by what it is: the same in every pass. */
  readonly origins: Map<string, Pick<Contents, 'bytes' | 'hash'>>;
  bytesPerElement: number | null;
}

const at = (snapshot: Snapshot, name: string): Contents => snapshot[name] ?? NOTHING;

/** Where a finished buffer is kept. */
function homeOf({ kind }: Label, direction: RankEvent['direction']): string {
  if (kind === 'gradients') return 'home keys';
  return direction === 'forward' ? 'home out' : 'home dQ';
}

/** The buffers that an operation may change, and what is home. */
function writtenBy({ operation: o, direction }: RankEvent, { before }: Observation): string[] {
  const backward = direction === 'backward';
  switch (o.op) {
    case 'send':
      return [];
    case 'receive':
    case 'release':
      return [o.buffer];
    case 'loadQuery':
      return [o.into, ...(backward ? ['home sink'] : [])];
    case 'computeBlock':
      return [o.into, ...(backward ? [o.sums ?? o.into, 'home bias'] : [])];
    case 'finish': {
      const { label } = at(before, o.buffer);
      return label === null ? [] : [homeOf(label, direction)];
    }
    case 'projectGradients':
      return ['home projected'];
    default:
      return [o.into];
  }
}

/** By query head, whose contributions are there: however the heads were cut when they came. */
function byHead({ merged }: Label, heads: number): number[][] {
  return Array.from({ length: heads }, (_, head) =>
    merged.flatMap(({ block, from, to }) => (from <= head && head < to ? [block] : [])),
  );
}

const sameLabel = (a: Label | null, b: Label | null, { heads }: Extents): boolean =>
  a === null || b === null
    ? a === b
    : isDeepStrictEqual({ ...a, merged: byHead(a, heads) }, { ...b, merged: byHead(b, heads) });

const showContents = ({ label }: Contents, { heads }: Extents): string =>
  label === null ? 'nothing' : `${showLabel(label)} with [${byHead(label, heads).join('; ')}]`;

/** What is wrong with what is there when a pass begins, or null. */
function wrongStart({ direction, rank }: RankEvent, { before }: Observation, { last }: History) {
  const kept = direction === 'backward' ? ['home out'] : [];
  const full = Object.entries(before).find(
    ([name, { label, bytes }]) => !kept.includes(name) && (bytes > 0 || label !== null),
  );
  // A bias that no pair has met yet may be there as zeros.
  if (full !== undefined && !(full[0] === 'home bias' && areZeros(full[1]))) {
    return `${full[0]} is not empty when the pass begins`;
  }
  const out = last.get(rank)?.after['home out'];
  if (direction === 'backward' && out !== undefined) {
    if (!isDeepStrictEqual(out, before['home out'])) {
      return 'O and LSE are not those of the pass before';
    }
  }
  return null;
}

/** What is wrong with a message against the wire, or null; keeps the wires. */
function wrongMessage(
  { rank, operation: o }: RankEvent,
  { before, after, message }: Observation,
  { wires }: History,
): string | null {
  if (o.op !== 'send' && o.op !== 'receive') return null;
  if (message === null) return 'no message';
  if (o.op === 'send') {
    wires.set(`${rank} ${o.to} ${o.lane}`, message);
    const same = isDeepStrictEqual(message, before[o.buffer]);
    return same ? null : `another message than is in ${o.buffer}`;
  }
  const channel = `${o.from} ${rank} ${o.lane}`;
  const sent = wires.get(channel);
  wires.delete(channel);
  if (!isDeepStrictEqual(message, sent)) return 'another message than was sent';
  const same = isDeepStrictEqual(message, after[o.buffer]);
  return same ? null : `${o.buffer} is not the message received`;
}

/** Every contribution once: KV blocks in a result, query blocks in dK and dV, with every head. */
function isComplete(label: Label, rank: number, { extents, isSkipped }: History): boolean {
  const blocks = Array.from({ length: extents.partition.ranks }, (_, n) => n);
  const needed = blocks.filter((other) =>
    label.kind === 'result' ? !isSkipped(rank, other) : !isSkipped(other, rank),
  );
  return byHead(label, extents.heads).every(
    (met) => met.length === new Set(met).size && needed.every((block) => met.includes(block)),
  );
}

/** What is wrong with what was kept, or null. */
function wrongHome(event: RankEvent, { before, after }: Observation, history: History) {
  const { rank, operation: o, direction } = event;
  const { extents } = history;
  if (o.op === 'projectGradients') {
    const [keys, projected] = [at(before, 'home keys'), at(after, 'home projected')];
    if (keys.label === null || !isComplete(keys.label, rank, history)) {
      return `projected with ${showContents(keys, extents)}`;
    }
    return sameLabel(keys.label, projected.label, extents) ? null : 'projected something else';
  }
  if (o.op !== 'finish') return null;
  const held = at(before, o.buffer);
  if (held.label === null) return `finished ${o.buffer}, which holds nothing`;
  const kept = at(after, homeOf(held.label, direction));
  if (!isDeepStrictEqual(kept, held)) return 'kept what was not there';
  const right = isOwn(extents, rank, held.label) && isComplete(held.label, rank, history);
  return right ? null : `finished ${showContents(held, extents)}`;
}

/** Contributions to dBias: those there were, and the pairs of this block. */
function wrongBias({ operation: o }: RankEvent, { before, after }: Observation, e: Extents) {
  const now = at(after, 'home bias').label;
  if (o.op !== 'computeBlock' || now === null) return null;
  const [query, keys] = [at(before, o.query).label, at(before, o.keys).label];
  if (query === null || keys === null) return null;
  const merged = [
    ...(at(before, 'home bias').label?.merged ?? []),
    ...gradientsOf(query, keys).merged,
  ];
  return sameLabel({ ...now, merged }, now, e) ? null : 'dBias has other contributions than that';
}

/** What is wrong with the labels that an operation left, by those it found; or null. */
function wrongLabel(event: RankEvent, { before, after }: Observation, { extents }: History) {
  const { rank, operation: o, direction } = event;
  if (o.op === 'send' || o.op === 'receive') return null;
  const labels = new Map<string, Label>();
  for (const [name, { label }] of Object.entries(before)) if (label) labels.set(name, label);
  try {
    relabel(extents, { rank, direction }, o, labels, WHOLE_LABELS);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const wrong = writtenBy(event, { before, after, message: null }).find(
    (name) =>
      !name.startsWith('home ') &&
      !sameLabel(at(after, name).label, labels.get(name) ?? null, extents),
  );
  return wrong === undefined ? null : `${wrong} has ${showContents(at(after, wrong), extents)}`;
}

/** What is wrong with a buffer that was written, in itself; or null. */
function wrongBuffer(name: string, contents: Contents, history: History): string | null {
  const { label, bytes } = contents;
  if (label === null || name.startsWith('home ')) return null;
  const { extents } = history;
  const elements = elementCount(extents, label);
  if (elements > 0) history.bytesPerElement ??= bytes / elements;
  if (bytes !== elements * (history.bytesPerElement ?? 0)) {
    return `${name} has ${bytes} bytes, which is not ${showLabel(label)}`;
  }
  const twice = byHead(label, extents.heads).some((met) => met.length !== new Set(met).size);
  return twice ? `${name} has ${showContents(contents, extents)}: one of them again` : null;
}

/** What a rank makes of its own inputs must be the same bits in every pass; what adds up, zero. */
function wrongOrigin(event: RankEvent, { after }: Observation, { origins }: History) {
  const { operation: o, rank, direction } = event;
  const own = ['loadQuery', 'loadKeys', 'recomputeKV', 'initResult', 'initGradients'];
  if (!own.includes(o.op) || !('into' in o)) return null;
  const contents = at(after, o.into);
  const { label, ...found } = contents;
  const adds = o.op === 'initGradients' || (o.op === 'initResult' && direction === 'backward');
  if (adds && !areZeros(contents)) return `${o.into} does not start from zero`;
  // Keys are the same whatever the pass is for.
  const what = label?.kind === 'keys' ? { ...label, direction: null } : label;
  const key = JSON.stringify([rank, 'sink' in o && o.sink, what]);
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
  const written = writtenBy(event, seen);
  const names = [...new Set([left, before, after].flatMap((snapshot) => Object.keys(snapshot)))];
  const moved = names.find(
    (name) =>
      !isDeepStrictEqual(at(left, name), at(before, name)) ||
      (!written.includes(name) && !isDeepStrictEqual(at(before, name), at(after, name))),
  );
  history.last.set(rank, { pass, after });
  return (
    (begins ? wrongStart(event, seen, history) : null) ??
    (moved === undefined ? null : `${operation.op} changed ${moved}, or something else did`) ??
    wrongMessage(event, seen, history) ??
    wrongLabel(event, seen, history) ??
    wrongBias(event, seen, history.extents) ??
    written.reduce<string | null>(
      (wrong, name) => wrong ?? wrongBuffer(name, at(after, name), history),
      null,
    ) ??
    wrongHome(event, seen, history) ??
    wrongOrigin(event, seen, history)
  );
}

/**
 * The first event that saw other contents than those before it leave there; null when all follow.
 * A finished result has met the keys of every rank exactly once, dK and dV every query block, but for
 * pairs that may be skipped.
 */
export function strayContents(
  log: readonly RankEvent[],
  extents: Extents,
  { isSkipped = () => false }: ContentOptions = {},
): Stray | null {
  const history: History = {
    ...{ extents, isSkipped, bytesPerElement: null },
    ...{ wires: new Map(), last: new Map(), origins: new Map() },
  };
  for (const [place, event] of log.entries()) {
    const what = wrongAt(event, history);
    if (what !== null) return { at: place, rank: event.rank, what };
  }
  return null;
}

/** When and by which clock is no matter of contents. */
const timeless = ({ stamp: _, at: __, ...event }: RankEvent) => event;

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
    events.filter((event) => event.rank === rank).map(timeless);
  for (let rank = 0; rank < ranks; rank++) {
    if (!isDeepStrictEqual(of(log, rank), of(other, rank))) return rank;
  }
  return null;
}
