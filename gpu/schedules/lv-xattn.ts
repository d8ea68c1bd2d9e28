/**
 * LV-XAttn: keys stay, queries travel round the ring, partial results follow one step behind.
 *
 * Chang and Venkataraman, ICML 2025, Algorithm 1, with the hop home that it leaves out. In round r
 * rank i works on block (i − r) mod n in query slot r mod 2. The block's result arrives during the
 * same round, is merged, and leaves during the next. Queries make n − 1 hops, results n: after the
 * loop one more hop brings each block home, into slot n mod 2, so both parities of n are right.
 * Backward is the same dance with {Q, dO, LSE, dLSE − D} on the query lane and dQ on the result lane.
 * It starts in the slot where the forward pass came home: with n odd the other one may still be read
 * by a neighbour, when a transport does not copy (Spin found that; see spec/protocol/limits.md).
 * @module
 */
import type { Partition } from '../../reference/case.ts';
import type { Direction, Operation, Schedule } from '../schedule.ts';
import { eachRank, finishKeys, prepareKeys, type ScheduleOptions } from './parts.ts';

type Slot = 0 | 1;

/** One rank's list; n ranks in all. */
function rankOperations(
  rank: number,
  n: number,
  direction: Direction,
  options: ScheduleOptions,
): Operation[] {
  const [right, left] = [(rank + 1) % n, (rank - 1 + n) % n];
  const blockAt = (round: number): number[] => [(rank - round + n * 2) % n];
  const start = direction === 'forward' || n === 1 ? 0 : n % 2;
  const slotOf = (round: number): Slot => ((round + start) % 2 === 0 ? 0 : 1);
  const query = (slot: Slot) => ({ lane: 'query', buffer: `query${slot}` }) as const;
  const result = (slot: Slot) => ({ lane: 'result', buffer: `result${slot}` }) as const;
  const sums = direction === 'backward' ? 'sums' : null;
  const first = slotOf(0);
  const list: Operation[] = [
    ...prepareKeys(direction, options),
    { op: 'loadQuery', into: `query${first}` },
    { op: 'initResult', into: `result${first}`, like: `query${first}`, sink: true },
  ];
  for (let round = 0; round < n; round++) {
    const [slot, other] = [slotOf(round), slotOf(round + 1)];
    const blocks = blockAt(round);
    const last = round === n - 1;
    if (!last) list.push({ op: 'send', ...query(slot), to: right, blocks });
    if (round > 0) {
      list.push({ op: 'send', ...result(other), to: right, blocks: blockAt(round - 1) });
    }
    list.push({ op: 'computeBlock', query: `query${slot}`, keys: 'keys', into: 'delta', sums });
    if (round > 0) list.push({ op: 'receive', ...result(slot), from: left, blocks });
    list.push({ op: 'merge', buffer: 'delta', into: `result${slot}` });
    if (!last) {
      list.push({ op: 'receive', ...query(other), from: left, blocks: blockAt(round + 1) });
    }
  }
  const home = n === 1 ? 0 : slotOf(n);
  if (n > 1) {
    list.push({ op: 'send', ...result(slotOf(n - 1)), to: right, blocks: blockAt(n - 1) });
    list.push({ op: 'receive', ...result(home), from: left, blocks: [rank] });
  }
  list.push({ op: 'finish', buffer: `result${home}` }, ...finishKeys(direction, options));
  return list;
}

/** The schedule of LV-XAttn over a layout; uneven and empty blocks travel like any other. */
export function lvXattnSchedule(
  layout: Partition,
  direction: Direction,
  options: ScheduleOptions = {},
): Schedule {
  const ranks = eachRank(layout, (rank, n) => rankOperations(rank, n, direction, options));
  return { name: 'lv-xattn', direction, layout, ranks };
}
