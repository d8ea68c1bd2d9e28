/**
 * Heads dealt out to ranks.
 *
 * `ulysses` (Jacobs et al., 2023, DeepSpeed-Ulysses): an all-to-all turns rows of all heads into all
 * rows of some heads, each rank computes whole attention for its heads, and another turns back.
 * `head-parallel` (Shoeybi et al., 2019, with Korthikanti et al.'s sequence parallelism, Megatron-LM):
 * queries and keys are all-gathered with all their heads, each rank computes its own heads, and
 * results are reduced and scattered with all heads. `usp` (Fang and Zhao, 2024): Ulysses within a
 * group of ranks, and between groups the ring of LV-XAttn.
 *
 * A KV head that is shared by query heads of several ranks is sent to each of them.
 * @module
 */
import type { Direction, Operation } from '../schedule.ts';
import { checkGroup, uspGroup } from './groups.ts';
import {
  allGather,
  type Ends,
  finishKeys,
  gatherHeads,
  headsEach,
  inTurn,
  listed,
  type MakeInPieces,
  ownKeys,
  type Pieces,
  range,
  release,
  type ScheduleOptions,
  scatter,
  startSums,
  table,
} from './parts.ts';
import { queryRing, ringSlots } from './query-ring.ts';

/** Own queries and keys of all heads, and where everybody's shares of them are added up. */
function own(direction: Direction, options: ScheduleOptions, query: string, keys: string) {
  return [
    ownKeys(keys, options),
    ...startSums(direction, 'own sums', keys),
    { op: 'loadQuery', into: query },
    { op: 'initResult', into: 'own result', like: query, sink: true },
  ] satisfies Operation[];
}

/** Everything of `heads` queries over `keys`, in one computation. */
function computeAll(direction: Direction, query: string, keys: string): Operation[] {
  const sums = direction === 'backward' ? 'sums' : null;
  return [
    ...startSums(direction, 'sums', keys),
    { op: 'computeBlock', query, keys, into: 'result', sums },
    ...release(query, keys),
  ];
}

/** Results, and backward dK and dV, to the homes of their blocks among members. */
function bringHome(
  direction: Direction,
  { result, padded = false }: { readonly result: string; readonly padded?: boolean },
): Ends {
  const results = scatter({ padded, lane: 'result', buffer: result, home: 'own result' });
  if (direction === 'forward') return results;
  const sums = scatter({ padded, lane: 'gradients', buffer: 'sums', home: 'own sums' });
  return function* (rank, members) {
    yield* results(rank, members);
    yield* sums(rank, members);
  };
}

const finish = (direction: Direction, options: ScheduleOptions): Operation[] => [
  { op: 'finish', buffer: 'own result' },
  ...finishKeys(direction, options, 'own sums'),
];

export const ulysses: MakeInPieces = (layout, direction, options = {}) => {
  const group = layout.ranks;
  const each = headsEach('ulysses', options.heads, group);
  const [query, keys] = [`${direction} query`, `${direction} keys`];
  const members = range(group);
  const queries = gatherHeads({ lane: 'query', buffer: query, into: 'all queries', each, group });
  const allKeys = gatherHeads({ lane: 'keys', buffer: keys, into: 'all keys', each, group });
  const home = bringHome(direction, { result: 'result' });
  function* piecesOf(rank: number): Pieces {
    yield own(direction, options, query, keys);
    yield* queries(rank, members);
    yield* allKeys(rank, members);
    yield computeAll(direction, 'all queries', 'all keys');
    yield* home(rank, members);
    yield finish(direction, options);
  }
  return { name: 'ulysses', direction, layout, piecesOf };
};

export const ulyssesSchedule = listed(ulysses);

/** All blocks with all heads, of which the rank's own are kept. */
function gatherAll(
  { n, lane, name }: { readonly n: number; readonly lane: 'query' | 'keys'; readonly name: string },
  into: string,
  each: number,
): (rank: number) => Pieces {
  const bufferOf = table((block) => `${name} ${block}`);
  const kept = table((block) => `${bufferOf(block)}, own heads`);
  const pieces = range(n).map(kept);
  const end: Operation[] = [
    { op: 'join', buffers: pieces, into },
    ...release(...range(n).map(bufferOf), ...pieces),
  ];
  return function* (rank) {
    yield* allGather({ rank, n, lane }, bufferOf);
    const [from, to] = [rank * each, (rank + 1) * each];
    yield* inTurn(range(n), (block, list) => {
      list.push({ op: 'takeHeads', buffer: bufferOf(block), into: kept(block), from, to });
    });
    yield end;
  };
}

export const headParallel: MakeInPieces = (layout, direction, options = {}) => {
  const n = layout.ranks;
  const each = headsEach('head-parallel', options.heads, n);
  const [query, keys] = [`${direction} query`, `${direction} keys`];
  const members = range(n);
  const queries = gatherAll({ n, lane: 'query', name: query }, 'all queries', each);
  const allKeys = gatherAll({ n, lane: 'keys', name: keys }, 'all keys', each);
  const home = bringHome(direction, { result: 'result', padded: true });
  function* piecesOf(rank: number): Pieces {
    yield own(direction, options, `${query} ${rank}`, `${keys} ${rank}`);
    yield* queries(rank);
    yield* allKeys(rank);
    yield computeAll(direction, 'all queries', 'all keys');
    yield* home(rank, members);
    yield finish(direction, options);
  }
  return { name: 'head-parallel', direction, layout, piecesOf };
};

export const headParallelSchedule = listed(headParallel);

export interface UspOptions extends ScheduleOptions {
  /** Ranks of a group, a divisor of ranks and heads; `uspGroup` of one rank a node when absent. */
  readonly group?: number;
}

export const usp: MakeInPieces<UspOptions> = (layout, direction, options = {}) => {
  const over = { ranks: layout.ranks, heads: options.heads ?? 0 };
  const { group = uspGroup(over) } = options;
  checkGroup(group, over);
  const each = headsEach('usp', options.heads, group);
  const groups = layout.ranks / group;
  const membersAt = table((at) => range(group).map((k) => at * group + k));
  const { start, home } = ringSlots(direction, groups);
  const [query, keys, first] = [`${direction} query`, `${direction} keys`, `query${start}`];
  const queries = gatherHeads({ lane: 'query', buffer: query, into: first, each, group });
  const allKeys = gatherHeads({ lane: 'keys', buffer: keys, into: 'keys', each, group });
  const bring = bringHome(direction, { result: `result${home}` });
  function* piecesOf(rank: number): Pieces {
    const [place, within] = [Math.floor(rank / group), rank % group];
    const members = membersAt(place);
    const ring = range(groups).map((k) => k * group + within);
    yield own(direction, options, query, keys);
    yield* queries(rank, members);
    yield* allKeys(rank, members);
    yield [
      ...startSums(direction, 'sums', 'keys'),
      { op: 'initResult', into: `result${start}`, like: first, sink: false },
    ];
    yield* queryRing({ direction, ranks: ring, place, blocksAt: membersAt });
    yield* bring(rank, members);
    yield finish(direction, options);
  }
  return { name: 'usp', direction, layout, piecesOf };
};

export const uspSchedule = listed(usp);
