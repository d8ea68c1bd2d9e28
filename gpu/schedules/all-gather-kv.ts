/**
 * All-gathered keys: every rank gathers all keys and values, and computes its own queries at once.
 *
 * Context parallelism as Llama 3 trains: it needs no merges, and memory for all keys. Backward dK and
 * dV of all keys are reduced and scattered to their homes.
 * @module
 */
import type { Partition } from '../../reference/case/case.ts';
import type { Direction, Operation, Schedule } from '../schedule.ts';
import {
  allGather,
  eachRank,
  finishKeys,
  ownKeys,
  range,
  release,
  type ScheduleOptions,
  scatter,
  startSums,
} from './parts.ts';

export function allGatherKvSchedule(
  layout: Partition,
  direction: Direction,
  options: ScheduleOptions = {},
): Schedule {
  const ranks = eachRank(layout, (rank, n): Operation[] => {
    const keysOf = (block: number) => `${direction} keys ${block}`;
    const members = range(n);
    const backward = direction === 'backward';
    const home = { rank, members, lane: 'gradients', buffer: 'sums', home: 'own sums' } as const;
    return [
      ownKeys(keysOf(rank), options),
      ...startSums(direction, 'own sums', keysOf(rank)),
      { op: 'loadQuery', into: 'query' },
      { op: 'initResult', into: 'result', like: 'query', sink: true },
      ...allGather({ rank, n, lane: 'keys' }, keysOf),
      { op: 'join', buffers: members.map(keysOf), into: 'keys' },
      ...release(...members.map(keysOf)),
      ...startSums(direction, 'sums', 'keys'),
      {
        op: 'computeBlock',
        query: 'query',
        keys: 'keys',
        into: 'delta',
        sums: backward ? 'sums' : null,
      },
      ...release('keys'),
      { op: 'merge', buffer: 'delta', into: 'result' },
      { op: 'finish', buffer: 'result' },
      ...(backward ? scatter(home) : []),
      ...finishKeys(direction, options, 'own sums'),
    ];
  });
  return { name: 'all-gather-kv', direction, layout, ranks };
}
