/**
 * Queries round a ring of ranks, over keys that stay; results follow one step behind.
 *
 * The dance of LV-XAttn, for a ring of any ranks and any blocks at each: see lv-xattn.ts.
 * @module
 */
import type { Direction, Operation } from '../schedule.ts';
import type { Pieces } from './parts.ts';

type Slot = 0 | 1;

const BUFFERS = { query: ['query0', 'query1'], result: ['result0', 'result1'] } as const;

export interface QueryRing {
  readonly direction: Direction;
  /** Ranks of the ring in order, and this rank's place among them. */
  readonly ranks: readonly number[];
  readonly place: number;
  /** Query blocks that are at home at a place. */
  readonly blocksAt: (place: number) => readonly number[];
  /** Pairs that a mask empties: need not be computed. */
  readonly isSkipped?: (place: number, keysOf: number) => boolean;
  /** Whether messages travel while a block is computed. */
  readonly overlap?: boolean;
}

/** The slot in which a ring starts, and that in which its results come home. */
export function ringSlots(direction: Direction, n: number): { start: Slot; home: Slot } {
  const start = direction === 'forward' || n === 1 ? 0 : n % 2;
  const home = n === 1 ? 0 : (n + start) % 2;
  return { start: start === 0 ? 0 : 1, home: home === 0 ? 0 : 1 };
}

/** Computes a block in its slot, and puts it into the block's result: the same in every other round. */
function meetIn(slot: Slot, direction: Direction): readonly [Operation, Operation] {
  const sums = direction === 'backward' ? 'sums' : null;
  return [
    { op: 'computeBlock', query: `query${slot}`, keys: 'keys', into: 'delta', sums },
    { op: 'merge', buffer: 'delta', into: `result${slot}` },
  ];
}

/**
 * One rank's rounds: from its own queries in "query0" or "query1" and its started result in the same
 * slot, over "keys" (gradients into "sums"), until its own result is home.
 *
 * What is the same in many rounds is one value.
 */
export function* queryRing(ring: QueryRing): Pieces {
  const { direction, ranks, place, blocksAt, isSkipped = () => false, overlap = true } = ring;
  const n = ranks.length;
  const { start } = ringSlots(direction, n);
  const [right = 0, left = 0] = [ranks[(place + 1) % n], ranks[(place - 1 + n) % n]];
  const placeAt = (round: number): number => (place - round + n * 2) % n;
  const slotOf = (round: number): Slot => ((round + start) % 2 === 0 ? 0 : 1);
  const meets = [meetIn(0, direction), meetIn(1, direction)] as const;
  const send = (lane: 'query' | 'result', slot: Slot, round: number): Operation => {
    const [buffer, blocks] = [BUFFERS[lane][slot], blocksAt(placeAt(round))];
    return { op: 'send', lane, buffer, blocks, to: right };
  };
  const receive = (lane: 'query' | 'result', slot: Slot, round: number): Operation => {
    const [buffer, blocks] = [BUFFERS[lane][slot], blocksAt(placeAt(round))];
    return { op: 'receive', lane, buffer, blocks, from: left };
  };
  for (let round = 0; round < n; round++) {
    const slot = slotOf(round);
    const [first, last] = [round === 0, round === n - 1];
    const [compute, merge] = meets[slot];
    const met = !isSkipped(placeAt(round), place);
    const list: Operation[] = [];
    if (overlap && !last) list.push(send('query', slot, round));
    if (!first) list.push(send('result', slotOf(round - 1), round - 1));
    if (overlap && met) list.push(compute);
    if (!first) list.push(receive('result', slot, round));
    if (!overlap && met) list.push(compute);
    if (met) list.push(merge);
    if (!overlap && !last) list.push(send('query', slot, round));
    if (!last) list.push(receive('query', slotOf(round + 1), round + 1));
    yield list;
  }
  if (n > 1) yield [send('result', slotOf(n - 1), n - 1), receive('result', slotOf(n), n)];
}
