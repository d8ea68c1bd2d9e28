/**
 * All-gathered keys: every rank gathers all keys and values, and computes its own queries at once.
 *
 * Context parallelism as Llama 3 trains: it needs no merges, and memory for all keys. Backward dK and
 * dV of all keys are reduced and scattered to their homes.
 * @module
 */
import type { Operation } from '../schedule.ts';
import {
  allGather,
  finishKeys,
  listed,
  type MakeInPieces,
  ownKeys,
  type Pieces,
  range,
  release,
  scatter,
  startSums,
  table,
} from './parts.ts';

export const allGatherKv: MakeInPieces = (layout, direction, options = {}) => {
  const n = layout.ranks;
  const members = range(n);
  const keysOf = table((block) => `${direction} keys ${block}`);
  const backward = direction === 'backward';
  const home = scatter({ lane: 'gradients', buffer: 'sums', home: 'own sums' });
  const pieces = members.map(keysOf);
  const join: Operation[] = [{ op: 'join', buffers: pieces, into: 'keys' }, ...release(...pieces)];
  const sums = backward ? 'sums' : null;
  const compute: Operation[] = [
    ...startSums(direction, 'sums', 'keys'),
    { op: 'computeBlock', query: 'query', keys: 'keys', into: 'delta', sums },
    ...release('keys'),
    { op: 'merge', buffer: 'delta', into: 'result' },
    { op: 'finish', buffer: 'result' },
  ];
  function* piecesOf(rank: number): Pieces {
    yield [
      ownKeys(keysOf(rank), options),
      ...startSums(direction, 'own sums', keysOf(rank)),
      { op: 'loadQuery', into: 'query' },
      { op: 'initResult', into: 'result', like: 'query', sink: true },
    ];
    yield* allGather({ rank, n, lane: 'keys' }, keysOf);
    yield join;
    yield compute;
    if (backward) yield* home(rank, members);
    yield finishKeys(direction, options, 'own sums');
  }
  return { name: 'all-gather-kv', direction, layout, piecesOf };
};

export const allGatherKvSchedule = listed(allGatherKv);
