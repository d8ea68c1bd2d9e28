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
import type { Partition } from '../../reference/case/case.ts';
import type { Direction, Operation, Schedule } from '../schedule.ts';
import {
  allGather,
  eachRank,
  finishKeys,
  gatherHeads,
  headsEach,
  ownKeys,
  range,
  release,
  type ScheduleOptions,
  scatter,
  startSums,
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

/** Results, and backward dK and dV, to the homes of their blocks among `members`. */
function bringHome(
  direction: Direction,
  rank: number,
  members: readonly number[],
  { result, padded = false }: { readonly result: string; readonly padded?: boolean },
): Operation[] {
  const ends = { rank, members, padded } as const;
  const results = scatter({ ...ends, lane: 'result', buffer: result, home: 'own result' });
  if (direction === 'forward') return results;
  const sums = scatter({ ...ends, lane: 'gradients', buffer: 'sums', home: 'own sums' });
  return [...results, ...sums];
}

const finish = (direction: Direction, options: ScheduleOptions): Operation[] => [
  { op: 'finish', buffer: 'own result' },
  ...finishKeys(direction, options, 'own sums'),
];

export function ulyssesSchedule(
  layout: Partition,
  direction: Direction,
  options: ScheduleOptions = {},
): Schedule {
  const each = headsEach('ulysses', options.heads, layout.ranks);
  const ranks = eachRank(layout, (rank, n): Operation[] => {
    const members = range(n);
    const [query, keys] = [`${direction} query`, `${direction} keys`];
    return [
      ...own(direction, options, query, keys),
      ...gatherHeads({ rank, members, lane: 'query', buffer: query, into: 'all queries', each }),
      ...gatherHeads({ rank, members, lane: 'keys', buffer: keys, into: 'all keys', each }),
      ...computeAll(direction, 'all queries', 'all keys'),
      ...bringHome(direction, rank, members, { result: 'result' }),
      ...finish(direction, options),
    ];
  });
  return { name: 'ulysses', direction, layout, ranks };
}

/** All blocks with all heads, of which the rank's own are kept. */
function gatherAll(
  place: Parameters<typeof allGather>[0],
  bufferOf: (block: number) => string,
  into: string,
  each: number,
): Operation[] {
  const { rank, n } = place;
  const kept = (block: number) => `${bufferOf(block)}, own heads`;
  const take = range(n).map((block): Operation => {
    const [from, to] = [rank * each, (rank + 1) * each];
    return { op: 'takeHeads', buffer: bufferOf(block), into: kept(block), from, to };
  });
  const pieces = range(n).map(kept);
  return [
    ...allGather(place, bufferOf),
    ...take,
    { op: 'join', buffers: pieces, into },
    ...release(...range(n).map(bufferOf), ...pieces),
  ];
}

export function headParallelSchedule(
  layout: Partition,
  direction: Direction,
  options: ScheduleOptions = {},
): Schedule {
  const each = headsEach('head-parallel', options.heads, layout.ranks);
  const ranks = eachRank(layout, (rank, n): Operation[] => {
    const queryOf = (block: number) => `${direction} query ${block}`;
    const keysOf = (block: number) => `${direction} keys ${block}`;
    return [
      ...own(direction, options, queryOf(rank), keysOf(rank)),
      ...gatherAll({ rank, n, lane: 'query' }, queryOf, 'all queries', each),
      ...gatherAll({ rank, n, lane: 'keys' }, keysOf, 'all keys', each),
      ...computeAll(direction, 'all queries', 'all keys'),
      ...bringHome(direction, rank, range(n), { result: 'result', padded: true }),
      ...finish(direction, options),
    ];
  });
  return { name: 'head-parallel', direction, layout, ranks };
}

export interface UspOptions extends ScheduleOptions {
  /** Ranks of a group; the largest count that divides ranks and heads when absent. */
  readonly group?: number;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Ranks of a group unless it is said: as many as divide ranks and heads. */
export const uspGroup = (ranks: number, heads = 0): number => gcd(ranks, heads);

export function uspSchedule(
  layout: Partition,
  direction: Direction,
  options: UspOptions = {},
): Schedule {
  const { group = uspGroup(layout.ranks, options.heads) } = options;
  const each = headsEach('usp', options.heads, group);
  if (layout.ranks % group !== 0) {
    throw new RangeError(
      `"usp" expected "group" to divide "ranks", got groups of ${group} of ${layout.ranks} ranks`,
    );
  }
  const ranks = eachRank(layout, (rank, n): Operation[] => {
    const groups = n / group;
    const [place, within] = [Math.floor(rank / group), rank % group];
    const membersAt = (at: number) => range(group).map((k) => at * group + k);
    const members = membersAt(place);
    const { start, home } = ringSlots(direction, groups);
    const [query, keys] = [`${direction} query`, `${direction} keys`];
    const first = `query${start}`;
    return [
      ...own(direction, options, query, keys),
      ...gatherHeads({ rank, members, lane: 'query', buffer: query, into: first, each }),
      ...gatherHeads({ rank, members, lane: 'keys', buffer: keys, into: 'keys', each }),
      ...startSums(direction, 'sums', 'keys'),
      { op: 'initResult', into: `result${start}`, like: first, sink: false },
      ...queryRing({
        direction,
        ranks: range(groups).map((k) => k * group + within),
        place,
        blocksAt: membersAt,
      }),
      ...bringHome(direction, rank, members, { result: `result${home}` }),
      ...finish(direction, options),
    ];
  });
  return { name: 'usp', direction, layout, ranks };
}
