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
  table,
} from './parts.ts';

export function allGatherKvSchedule(
  layout: Partition,
  direction: Direction,
  options: ScheduleOptions = {},
): Schedule {
  const n = layout.ranks;
  const members = range(n);
  const keysOf = table((block) => `${direction} keys ${block}`);
  const backward = direction === 'backward';
  const home = scatter({ lane: 'gradients', buffer: 'sums', home: 'own sums' });
  const pieces = members.map(keysOf);
  const join: Operation[] = [{ op: 'join', buffers: pieces, into: 'keys' }, ...release(...pieces)];
  const ranks = eachRank(layout, (rank): Operation[] => [
    ownKeys(keysOf(rank), options),
    ...startSums(direction, 'own sums', keysOf(rank)),
    { op: 'loadQuery', into: 'query' },
    { op: 'initResult', into: 'result', like: 'query', sink: true },
    ...allGather({ rank, n, lane: 'keys' }, keysOf),
    ...join,
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
    ...(backward ? home(rank, members) : []),
    ...finishKeys(direction, options, 'own sums'),
  ]);
  return { name: 'all-gather-kv', direction, layout, ranks };
}
