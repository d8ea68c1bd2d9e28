/**
 * What schedules have in common: preparing keys, keeping their gradients, and collectives, written
 * point to point.
 * @module
 */
import type { Partition } from '../../reference/case/case.ts';
import {
  type BufferName,
  type Direction,
  type Kind,
  listOf,
  type Operation,
  type Schedule,
  type ScheduleInPieces,
  type Sends,
} from '../schedule.ts';

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

/** The same, whose lists need not be held. */
export type MakeInPieces<Options extends ScheduleOptions = ScheduleOptions> = (
  layout: Partition,
  direction: Direction,
  options?: Options,
) => ScheduleInPieces;

/** A rank's operations in order, or some of them, in pieces. */
export type Pieces = Generator<readonly Operation[], void>;

/** 0 to before n. */
export function range(n: number): number[] {
  const all: number[] = [];
  for (let k = 0; k < n; k++) all.push(k);
  return all;
}

/** Every rank's list. */
export const listed =
  <Options extends ScheduleOptions>(make: MakeInPieces<Options>): MakeSchedule<Options> =>
  (layout, direction, options) => {
    const schedule = make(layout, direction, options);
    const ranks = range(layout.ranks).map((rank) => listOf(schedule, rank));
    return { name: schedule.name, direction, layout, ranks };
  };

/** All other ranks, those after this one first: so that not all send to the same one at once. */
export function othersOf(rank: number, n: number): number[] {
  const others: number[] = [];
  for (let k = rank + 1; k < n; k++) others.push(k);
  for (let k = 0; k < rank; k++) others.push(k);
  return others;
}

/** A piece takes longer to come to than what is in it; long ones of a thousand ranks take memory. */
const TOGETHER = 8;

/** What is done with each of many, in their order. */
export function* inTurn(
  many: readonly number[],
  put: (one: number, list: Operation[]) => void,
): Pieces {
  for (let n = 0; n < many.length; n += TOGETHER) {
    const list: Operation[] = [];
    for (const one of many.slice(n, n + TOGETHER)) put(one, list);
    yield list;
  }
}

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

/** What is made once for each number, however many ranks' lists it stands in. */
export function table<T>(make: (n: number) => T): (n: number) => T {
  const known: T[] = [];
  return (n) => {
    let one = known[n];
    if (one === undefined) {
      one = make(n);
      known[n] = one;
    }
    return one;
  };
}

/** One block, as operations name it. */
export const blockOf = table((block): readonly number[] => [block]);

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
 * of each rank's block; the own one is there already.
 */
export function* allGather(
  { rank, n, lane }: { readonly rank: number; readonly n: number; readonly lane: Kind },
  bufferOf: (block: number) => BufferName,
): Pieces {
  const [to, from] = [(rank + 1) % n, (rank - 1 + n) % n];
  yield* inTurn(range(n - 1), (hop, list) => {
    const [sent, got] = [(rank - hop + n) % n, (rank - hop - 1 + n) % n];
    list.push({ op: 'send', lane, buffer: bufferOf(sent), to, blocks: blockOf(sent) });
    list.push({ op: 'receive', lane, buffer: bufferOf(got), from, blocks: blockOf(got) });
  });
}

/** What all ranks' ends of a scatter have in common. */
export interface Scatter {
  readonly lane: 'result' | 'gradients';
  /** What holds all members' blocks. */
  readonly buffer: BufferName;
  /** What holds the rank's own block, and takes all shares. */
  readonly home: BufferName;
  /** Pieces travel among empty heads, as a reduce-scatter of whole rows sends them. */
  readonly padded?: boolean;
}

/** A rank's ends of a collective among `members`, each of which is home to its own block. */
export type Ends = (rank: number, members: readonly number[]) => Pieces;

/**
 * Every member gets its own block of everybody's `buffer`, merged into its `home` in the members'
 * order. What is the same at all ranks' ends is one value: of a thousand there are millions.
 */
export function scatter({ lane, buffer, home, padded }: Scatter): Ends {
  const piece = table((to) => `${buffer} for ${to}`);
  const cut = table((to): Operation[] => {
    const into: BufferName = padded ? `${piece(to)}, own heads` : piece(to);
    const take: Operation = { op: 'takeBlocks', buffer, into, blocks: blockOf(to) };
    if (!padded) return [take];
    return [take, { op: 'padHeads', buffer: into, into: piece(to) }, ...release(into)];
  });
  const send = table((to): Operation[] => {
    return [...cut(to), { op: 'send', lane, buffer: piece(to), to, blocks: blockOf(to) }];
  });
  const shareOf = table((from) => `${buffer} from ${from}`);
  const put = (share: BufferName): Operation[] => [
    { op: 'merge', buffer: share, into: home },
    ...release(share),
  ];
  const putFrom = table((from) => put(shareOf(from)));
  const letGo = release(buffer);
  return function* (rank, members) {
    const own = members.indexOf(rank);
    const others = othersOf(own, members.length).map((n) => members[n] ?? rank);
    yield* inTurn(others, (to, list) => {
      for (const o of send(to)) list.push(o);
    });
    yield [...cut(rank), ...letGo];
    yield* inTurn(members, (from, list) => {
      if (from !== rank) {
        list.push({ op: 'receive', lane, buffer: shareOf(from), from, blocks: blockOf(rank) });
      }
      for (const o of from === rank ? put(piece(rank)) : putFrom(from)) list.push(o);
    });
  };
}

/** What all ranks' ends of an exchange of heads have in common. */
export interface HeadExchange {
  readonly lane: 'query' | 'keys';
  /** The rank's own block, all heads. */
  readonly buffer: BufferName;
  /** All members' blocks, the rank's share of the heads. */
  readonly into: BufferName;
  /** Query heads of each member, and members: neighbours, the first one's rank a multiple of theirs. */
  readonly each: number;
  readonly group: number;
}

/** All-to-all: everybody's blocks, in the members' order, of the heads that fall to this rank. */
export function gatherHeads({ lane, buffer, into, each, group }: HeadExchange): Ends {
  const take = (rank: number, piece: BufferName): Operation => {
    const from = (rank % group) * each;
    return { op: 'takeHeads', buffer, into: piece, from, to: from + each };
  };
  const pieceFor = table((to) => `${buffer} for ${to}`);
  const pieceFrom = table((from) => `${buffer} from ${from}`);
  const takeFor = table((to) => take(to, pieceFor(to)));
  const takeOwn = table((rank) => take(rank, pieceFrom(rank)));
  const receive = table((from): Operation => {
    return { op: 'receive', lane, buffer: pieceFrom(from), from, blocks: blockOf(from) };
  });
  const joinOf = table((first): Operation[] => {
    const pieces = range(group).map((n) => pieceFrom(first + n));
    return [{ op: 'join', buffers: pieces, into }, ...release(...pieces)];
  });
  const dropFor = table((to): Operation => ({ op: 'release', buffer: pieceFor(to) }));
  return function* (rank, members) {
    const own = members.indexOf(rank);
    const others = othersOf(own, members.length).map((n) => members[n] ?? rank);
    yield* inTurn(others, (to, list) => {
      list.push(takeFor(to));
      list.push({ op: 'send', lane, buffer: pieceFor(to), to, blocks: blockOf(rank) });
    });
    yield [takeOwn(rank)];
    yield* inTurn(others, (from, list) => list.push(receive(from)));
    yield joinOf(rank - own);
    yield* inTurn(members, (to, list) => {
      if (to !== rank) list.push(dropFor(to));
    });
  };
}
