/**
 * LV-XAttn: keys stay, queries travel round the ring, partial results follow one step behind.
 *
 * Chang and Venkataraman, ICML 2025, Algorithm 1, with the hop home that it leaves out. In round r
 * rank i works on block (i − r) mod n in query slot r mod 2. The block's result arrives during the
 * same round, is merged, and leaves during the next. Queries make n − 1 hops, results n: after the
 * loop one more hop brings each block home, into slot n mod 2, so both parities of n are right.
 * Backward is the same dance with {Q, dO, LSE, dLSE − D} on the query lane and dQ on the result lane.
 * `sends: 'O'` lets O travel in the place of dLSE − D, as the paper's program does: a block more in
 * every message but for a number a row.
 * It starts in the slot where the forward pass came home: with n odd the other one may still be read
 * by a neighbour, when a transport does not copy (Spin found that; see spec/protocol/limits.md).
 * @module
 */
import {
  blockOf,
  finishKeys,
  listed,
  type MakeInPieces,
  ownKeys,
  ownQuery,
  type Pieces,
  range,
  type ScheduleOptions,
  startSums,
} from './parts.ts';
import { queryRing, ringSlots } from './query-ring.ts';

export interface LvXattnOptions extends ScheduleOptions {
  /** Block pairs (query block, key block) that a mask empties: they are not computed. */
  readonly isSkipped?: (block: number, keys: number) => boolean;
  /** false: messages travel only between computations, as in the paper's ablation. */
  readonly overlap?: boolean;
}

/** The schedule of LV-XAttn over a layout; uneven and empty blocks travel like any other. */
export const lvXattn: MakeInPieces<LvXattnOptions> = (layout, direction, options = {}) => {
  const n = layout.ranks;
  const ring = range(n);
  const { start, home } = ringSlots(direction, n);
  const { isSkipped, overlap } = options;
  function* piecesOf(rank: number): Pieces {
    yield [
      ownKeys('keys', options),
      ...startSums(direction, 'sums', 'keys'),
      ownQuery(`query${start}`, options),
      { op: 'initResult', into: `result${start}`, like: `query${start}`, sink: true },
    ];
    yield* queryRing({
      direction,
      ranks: ring,
      place: rank,
      blocksAt: blockOf,
      ...(isSkipped === undefined ? {} : { isSkipped }),
      ...(overlap === undefined ? {} : { overlap }),
    });
    yield [{ op: 'finish', buffer: `result${home}` }, ...finishKeys(direction, options, 'sums')];
  }
  return { name: 'lv-xattn', direction, layout, piecesOf };
};

export const lvXattnSchedule = listed(lvXattn);
