/**
 * Queries travel, partial results go straight home.
 *
 * `pass-q` (Yang et al., 2024: context parallelism for inference): queries go round the ring, every
 * rank keeps its partial result of each block, and an all-to-all at the end brings them home.
 * `token-ring` (Wang et al., 2024): each partial result is sent home as soon as it is there, against
 * the queries' direction and beside the next computation. Backward dQ goes the same ways.
 * @module
 */
import type { Partition } from '../../reference/case/case.ts';
import type { Direction, Operation, Schedule } from '../schedule.ts';
import {
  eachRank,
  finishKeys,
  othersOf,
  ownKeys,
  ownQuery,
  range,
  release,
  type ScheduleOptions,
  startSums,
} from './parts.ts';

/** What both begin and end with, around their rounds. */
function around(
  direction: Direction,
  options: ScheduleOptions,
  rounds: readonly Operation[],
): Operation[] {
  return [
    ownKeys('keys', options),
    ...startSums(direction, 'sums', 'keys'),
    ownQuery(`${direction} query0`, options),
    { op: 'initResult', into: 'result', like: `${direction} query0`, sink: true },
    ...rounds,
    { op: 'finish', buffer: 'result' },
    ...finishKeys(direction, options, 'sums'),
  ];
}

interface Place {
  readonly rank: number;
  readonly n: number;
  readonly direction: Direction;
}

/** A round's queries: passed on, computed into `part`, with whatever is to happen then. */
function round(
  { rank, n, direction }: Place,
  r: number,
  part: string,
  then: readonly Operation[],
): Operation[] {
  const query = (k: number) => {
    const blocks = [(rank - k + 2 * n) % n];
    return { lane: 'query', buffer: `${direction} query${k % 2}`, blocks } as const;
  };
  const sums = direction === 'backward' ? 'sums' : null;
  const last = r === n - 1;
  return [
    ...(last ? [] : [{ op: 'send', ...query(r), to: (rank + 1) % n } as const]),
    { op: 'computeBlock', query: query(r).buffer, keys: 'keys', into: part, sums },
    ...then,
    ...(last ? [] : [{ op: 'receive', ...query(r + 1), from: (rank - 1 + n) % n } as const]),
  ];
}

/** A partial result of the own block, from another rank, into the result. */
const fetch = (rank: number, from: number): Operation[] => [
  { op: 'receive', lane: 'result', buffer: `part from ${from}`, from, blocks: [rank] },
  { op: 'merge', buffer: `part from ${from}`, into: 'result' },
  ...release(`part from ${from}`),
];

export function passQSchedule(
  layout: Partition,
  direction: Direction,
  options: ScheduleOptions = {},
): Schedule {
  const ranks = eachRank(layout, (rank, n) => {
    const partOf = (block: number) => `${direction} part ${block}`;
    const rounds = range(n).flatMap((r) => {
      const block = (rank - r + n) % n;
      const own: Operation[] =
        r === 0 ? [{ op: 'merge', buffer: partOf(rank), into: 'result' }] : [];
      return round({ rank, n, direction }, r, partOf(block), own);
    });
    const home = othersOf(rank, n).map((to): Operation => {
      return { op: 'send', lane: 'result', buffer: partOf(to), to, blocks: [to] };
    });
    const arrivals = othersOf(rank, n).flatMap((from) => fetch(rank, from));
    return around(direction, options, [...rounds, ...home, ...arrivals]);
  });
  return { name: 'pass-q', direction, layout, ranks };
}

export function tokenRingSchedule(
  layout: Partition,
  direction: Direction,
  options: ScheduleOptions = {},
): Schedule {
  const ranks = eachRank(layout, (rank, n) => {
    const rounds = range(n).flatMap((r) => {
      const part = `${direction} part${r % 2}`;
      const to = (rank - r + n) % n;
      const then: Operation[] =
        r === 0
          ? [{ op: 'merge', buffer: part, into: 'result' }]
          : [
              { op: 'send', lane: 'result', buffer: part, to, blocks: [to] },
              ...fetch(rank, (rank + r) % n),
            ];
      return round({ rank, n, direction }, r, part, then);
    });
    return around(direction, options, rounds);
  });
  return { name: 'token-ring', direction, layout, ranks };
}
