/**
 * Queries travel, partial results go straight home.
 *
 * `pass-q` (Yang et al., 2024: context parallelism for inference): queries go round the ring, every
 * rank keeps its partial result of each block, and an all-to-all at the end brings them home.
 * `token-ring` (Wang et al., 2024): each partial result goes home against the queries' direction while
 * the next block is computed, and the one that comes home meanwhile is taken in after that. Only the
 * last one has nothing beside it. What is sent may still be read when the next round's kernel writes,
 * and by a home that is a round behind when the one after does: three buffers of partial results.
 * Backward dQ goes the same ways.
 * @module
 */
import type { Direction, Operation } from '../schedule.ts';
import {
  blockOf,
  finishKeys,
  listed,
  type MakeInPieces,
  othersOf,
  ownKeys,
  ownQuery,
  type Pieces,
  release,
  type ScheduleOptions,
  startSums,
  table,
} from './parts.ts';

/** What both begin and end with, around their rounds. */
function* around(direction: Direction, options: ScheduleOptions, rounds: Pieces): Pieces {
  yield [
    ownKeys('keys', options),
    ...startSums(direction, 'sums', 'keys'),
    ownQuery(`${direction} query0`, options),
    { op: 'initResult', into: 'result', like: `${direction} query0`, sink: true },
  ];
  yield* rounds;
  yield [{ op: 'finish', buffer: 'result' }, ...finishKeys(direction, options, 'sums')];
}

const QUERIES = {
  forward: ['forward query0', 'forward query1'],
  backward: ['backward query0', 'backward query1'],
} as const;

/** What the lists of all ranks have in common, made once. */
interface Ring {
  readonly n: number;
  readonly direction: Direction;
  /** Computes a slot's queries into a partial result of this number. */
  readonly computes: readonly [(part: number) => Operation, (part: number) => Operation];
  /** The own block's partial result from another rank, into the result. */
  readonly gather: (from: number) => readonly Operation[];
  readonly partFrom: (from: number) => string;
}

function ringOf(n: number, direction: Direction, partOf: (part: number) => string): Ring {
  const sums = direction === 'backward' ? 'sums' : null;
  const compute = (slot: 0 | 1) =>
    table((part): Operation => {
      const query = QUERIES[direction][slot];
      return { op: 'computeBlock', query, keys: 'keys', into: partOf(part), sums };
    });
  const partFrom = table((from) => `part from ${from}`);
  const gather = table((from): readonly Operation[] => [
    { op: 'merge', buffer: partFrom(from), into: 'result' },
    ...release(partFrom(from)),
  ]);
  return { n, direction, computes: [compute(0), compute(1)], gather, partFrom };
}

const slotOf = (r: number): 0 | 1 => (r % 2 === 0 ? 0 : 1);

/** Begins a round: its queries are passed on, if anybody is still to meet them. */
function passOn({ n, direction }: Ring, rank: number, r: number, list: Operation[]): void {
  if (r === n - 1) return;
  list.push({
    op: 'send',
    lane: 'query',
    buffer: QUERIES[direction][slotOf(r)],
    blocks: blockOf((rank - r + n) % n),
    to: (rank + 1) % n,
  });
}

/** Ends a round: the next one's queries arrive, if there is one. */
function turn({ n, direction }: Ring, rank: number, r: number, list: Operation[]): void {
  if (r === n - 1) return;
  list.push({
    op: 'receive',
    lane: 'query',
    buffer: QUERIES[direction][slotOf(r + 1)],
    blocks: blockOf((rank - r - 1 + n) % n),
    from: (rank - 1 + n) % n,
  });
}

/** A partial result of the own block, from another rank, into the result. */
function fetch({ gather, partFrom }: Ring, rank: number, from: number, list: Operation[]): void {
  const buffer = partFrom(from);
  list.push({ op: 'receive', lane: 'result', buffer, from, blocks: blockOf(rank) });
  list.push(...gather(from));
}

export const passQ: MakeInPieces = (layout, direction, options = {}) => {
  const n = layout.ranks;
  const partOf = table((block) => `${direction} part ${block}`);
  const ring = ringOf(n, direction, partOf);
  const send = table((to): Operation[] => [
    { op: 'send', lane: 'result', buffer: partOf(to), to, blocks: blockOf(to) },
  ]);
  function* rounds(rank: number): Pieces {
    for (let r = 0; r < n; r++) {
      const list: Operation[] = [];
      passOn(ring, rank, r, list);
      list.push(ring.computes[slotOf(r)]((rank - r + n) % n));
      if (r === 0) list.push({ op: 'merge', buffer: partOf(rank), into: 'result' });
      turn(ring, rank, r, list);
      yield list;
    }
    const others = othersOf(rank, n);
    for (const to of others) yield send(to);
    for (const from of others) {
      const list: Operation[] = [];
      fetch(ring, rank, from, list);
      yield list;
    }
  }
  const piecesOf = (rank: number): Pieces => around(direction, options, rounds(rank));
  return { name: 'pass-q', direction, layout, piecesOf };
};

export const passQSchedule = listed(passQ);

const PARTS = 3;

export const tokenRing: MakeInPieces = (layout, direction, options = {}) => {
  const n = layout.ranks;
  const partOf = table((slot) => `${direction} part${slot}`);
  const ring = ringOf(n, direction, partOf);
  const sends = table((slot) =>
    table((to): Operation => {
      return { op: 'send', lane: 'result', buffer: partOf(slot), to, blocks: blockOf(to) };
    }),
  );
  const bringHome = (rank: number, r: number): Operation => sends(r % PARTS)((rank - r + n) % n);
  function* rounds(rank: number): Pieces {
    for (let r = 0; r < n; r++) {
      const list: Operation[] = [];
      passOn(ring, rank, r, list);
      if (r > 1) list.push(bringHome(rank, r - 1));
      list.push(ring.computes[slotOf(r)](r % PARTS));
      if (r === 0) list.push({ op: 'merge', buffer: partOf(0), into: 'result' });
      if (r > 1) fetch(ring, rank, (rank + r - 1) % n, list);
      turn(ring, rank, r, list);
      yield list;
    }
    if (n === 1) return;
    const list: Operation[] = [bringHome(rank, n - 1)];
    fetch(ring, rank, (rank + n - 1) % n, list);
    yield list;
  }
  const piecesOf = (rank: number): Pieces => around(direction, options, rounds(rank));
  return { name: 'token-ring', direction, layout, piecesOf };
};

export const tokenRingSchedule = listed(tokenRing);
