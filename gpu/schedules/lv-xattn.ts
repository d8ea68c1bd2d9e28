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
import type { Direction, Operation, Schedule, Slot } from '../schedule.ts';

/** One rank's list; n ranks in all. */
function rankOperations(
  rank: number,
  n: number,
  direction: Direction,
  recompute: boolean,
): Operation[] {
  const [right, left] = [(rank + 1) % n, (rank - 1 + n) % n];
  const blockAt = (round: number): number => (rank - round + n * 2) % n;
  const start = direction === 'forward' || n === 1 ? 0 : n % 2;
  const slotOf = (round: number): Slot => ((round + start) % 2 === 0 ? 0 : 1);
  const list: Operation[] = [];
  if (recompute) list.push({ op: 'recomputeKV' });
  list.push({ op: 'loadQuery', slot: slotOf(0), block: rank });
  list.push({ op: 'initResult', slot: slotOf(0), block: rank });
  for (let round = 0; round < n; round++) {
    const [slot, other] = [slotOf(round), slotOf(round + 1)];
    const block = blockAt(round);
    const last = round === n - 1;
    if (!last) list.push({ op: 'send', lane: 'query', slot, to: right, block });
    if (round > 0) {
      list.push({ op: 'send', lane: 'result', slot: other, to: right, block: blockAt(round - 1) });
    }
    list.push({ op: 'computeBlock', slot, block, keys: rank });
    if (round > 0) list.push({ op: 'receive', lane: 'result', slot, from: left, block });
    list.push({ op: 'merge', slot, block });
    if (!last) {
      list.push({
        op: 'receive',
        lane: 'query',
        slot: other,
        from: left,
        block: blockAt(round + 1),
      });
    }
  }
  const home = n === 1 ? 0 : slotOf(n);
  if (n > 1) {
    list.push({
      op: 'send',
      lane: 'result',
      slot: slotOf(n - 1),
      to: right,
      block: blockAt(n - 1),
    });
    list.push({ op: 'receive', lane: 'result', slot: home, from: left, block: rank });
  }
  list.push({ op: 'finish', slot: home, block: rank });
  if (recompute && direction === 'backward') list.push({ op: 'projectGradients' });
  return list;
}

/** The schedule of LV-XAttn over a layout; uneven and empty blocks travel like any other. */
export function lvXattnSchedule(
  layout: Partition,
  direction: Direction,
  options: { readonly recompute?: boolean } = {},
): Schedule {
  const ranks = Array.from({ length: layout.ranks }, (_, rank) =>
    rankOperations(rank, layout.ranks, direction, options.recompute ?? false),
  );
  return { name: 'lv-xattn', direction, layout, ranks };
}
