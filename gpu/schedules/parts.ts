/**
 * What schedules have in common: preparing keys, keeping their gradients, and collectives, written
 * point to point.
 * @module
 */
import type { Partition } from '../../reference/case/case.ts';
import type { BufferName, Direction, Kind, Operation, Schedule, Sends } from '../schedule.ts';

export interface ScheduleOptions {
  /** Keys and values are recomputed from features in every pass. */
  readonly recompute?: boolean;
  /** Query heads, for schedules that deal heads out. */
  readonly heads?: number;
  /** What queries take along backward, for schedules that send them; D when absent. */
  readonly sends?: Sends;
}

/** A distributed algorithm: a pure function from a layout to data. */
export type MakeSchedule<Options extends ScheduleOptions = ScheduleOptions> = (
  layout: Partition,
  direction: Direction,
  options?: Options,
) => Schedule;

/** Every rank's list. */
export function eachRank(
  { ranks }: Partition,
  list: (rank: number, n: number) => Operation[],
): Operation[][] {
  return Array.from({ length: ranks }, (_, rank) => list(rank, ranks));
}

/** 0 to before n. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, k) => k);

/** All other ranks, those after this one first: so that not all send to the same one at once. */
export const othersOf = (rank: number, n: number): number[] =>
  range(n - 1).map((k) => (rank + k + 1) % n);

/** The rank's own keys: as given, or recomputed. */
export const ownKeys = (into: BufferName, { recompute }: ScheduleOptions): Operation => ({
  op: recompute ? 'recomputeKV' : 'loadKeys',
  into,
});

/** The rank's own queries. */
export const ownQuery = (into: BufferName, { sends = 'D' }: ScheduleOptions): Operation =>
  sends === 'D' ? { op: 'loadQuery', into } : { op: 'loadQuery', into, sends };

/** Where a backward pass adds up dK and dV. */
export const startSums = (direction: Direction, into: BufferName, like: BufferName): Operation[] =>
  direction === 'forward' ? [] : [{ op: 'initGradients', into, like }];

/** Backward: the rank's own dK and dV, in `buffer`, are whole. */
export function finishKeys(
  direction: Direction,
  { recompute }: ScheduleOptions,
  buffer: BufferName,
): Operation[] {
  if (direction === 'forward') return [];
  const list: Operation[] = [{ op: 'finish', buffer }];
  if (recompute) list.push({ op: 'projectGradients' });
  return list;
}

export const release = (...buffers: readonly BufferName[]): Operation[] =>
  buffers.map((buffer) => ({ op: 'release', buffer }));

/** How many query heads each of `ranks` ranks gets. Throws RangeError where they cannot be dealt out. */
export function headsEach(name: string, heads: number | undefined, ranks: number): number {
  if (heads === undefined) throw new RangeError(`"${name}" expected "heads", got none`);
  if (heads % ranks !== 0) {
    throw new RangeError(
      `"${name}" deals heads out to ranks and expected "ranks" to divide "heads", ` +
        `got ${ranks} ranks for ${heads} heads`,
    );
  }
  return heads / ranks;
}

/**
 * All-gather round a ring: n − 1 hops, each passing on what came last. `bufferOf` names the buffer
 * of each rank's block; the own one is there already. What is done with each block when it is there
 * is up to `then`.
 */
export function allGather(
  { rank, n, lane }: { readonly rank: number; readonly n: number; readonly lane: Kind },
  bufferOf: (block: number) => BufferName,
): Operation[] {
  const [right, left] = [(rank + 1) % n, (rank - 1 + n) % n];
  return range(n - 1).flatMap((hop): Operation[] => {
    const [sent, got] = [(rank - hop + n) % n, (rank - hop - 1 + n) % n];
    return [
      { op: 'send', lane, buffer: bufferOf(sent), to: right, blocks: [sent] },
      { op: 'receive', lane, buffer: bufferOf(got), from: left, blocks: [got] },
    ];
  });
}

/** A rank's ends of a scatter: what it sends to each member, and what it adds up itself. */
export interface Scatter {
  readonly rank: number;
  /** Who takes part; each is home to its own block. */
  readonly members: readonly number[];
  readonly lane: 'result' | 'gradients';
  /** What holds all members' blocks. */
  readonly buffer: BufferName;
  /** What holds the rank's own block, and takes all shares. */
  readonly home: BufferName;
  /** Pieces travel among empty heads, as a reduce-scatter of whole rows sends them. */
  readonly padded?: boolean;
}

/**
 * Every member gets its own block of everybody's `buffer`, merged into its `home` in the members'
 * order.
 */
export function scatter({ rank, members, lane, buffer, home, padded }: Scatter): Operation[] {
  const list: Operation[] = [];
  const piece = (to: number): BufferName => `${buffer} for ${to}`;
  const own = members.indexOf(rank);
  const others = othersOf(own, members.length).map((n) => members[n] ?? rank);
  for (const to of [...others, rank]) {
    const cut: BufferName = padded ? `${piece(to)}, own heads` : piece(to);
    list.push({ op: 'takeBlocks', buffer, into: cut, blocks: [to] });
    if (padded) list.push({ op: 'padHeads', buffer: cut, into: piece(to) }, ...release(cut));
    if (to !== rank) list.push({ op: 'send', lane, buffer: piece(to), to, blocks: [to] });
  }
  list.push(...release(buffer));
  for (const from of members) {
    const share = from === rank ? piece(rank) : `${buffer} from ${from}`;
    if (from !== rank) list.push({ op: 'receive', lane, buffer: share, from, blocks: [rank] });
    list.push({ op: 'merge', buffer: share, into: home }, ...release(share));
  }
  return list;
}

/** A rank's ends of an exchange of heads. */
export interface HeadExchange {
  readonly rank: number;
  readonly members: readonly number[];
  readonly lane: 'query' | 'keys';
  /** The rank's own block, all heads. */
  readonly buffer: BufferName;
  /** All members' blocks, the rank's share of the heads. */
  readonly into: BufferName;
  /** Query heads of each member. */
  readonly each: number;
}

/** All-to-all: everybody's blocks, in the members' order, of the heads that fall to this rank. */
export function gatherHeads({
  rank,
  members,
  lane,
  buffer,
  into,
  each,
}: HeadExchange): Operation[] {
  const list: Operation[] = [];
  const own = members.indexOf(rank);
  const pieceFrom = (from: number): BufferName => `${buffer} from ${from}`;
  const take = (member: number, piece: BufferName): Operation => ({
    op: 'takeHeads',
    buffer,
    into: piece,
    from: member * each,
    to: (member + 1) * each,
  });
  for (const n of othersOf(own, members.length)) {
    const to = members[n] ?? rank;
    const piece = `${buffer} for ${to}`;
    list.push(take(n, piece), { op: 'send', lane, buffer: piece, to, blocks: [rank] });
  }
  list.push(take(own, pieceFrom(rank)));
  for (const n of othersOf(own, members.length)) {
    const from = members[n] ?? rank;
    list.push({ op: 'receive', lane, buffer: pieceFrom(from), from, blocks: [from] });
  }
  const pieces = members.map(pieceFrom);
  const sent = members.filter((member) => member !== rank).map((to) => `${buffer} for ${to}`);
  list.push({ op: 'join', buffers: pieces, into }, ...release(...pieces, ...sent));
  return list;
}
