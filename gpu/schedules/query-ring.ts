/**
 * Queries round a ring of ranks, over keys that stay; results follow one step behind.
 *
 * The dance of LV-XAttn, for a ring of any ranks and any blocks at each: see lv-xattn.ts.
 * @module
 */
import type { Direction, Operation } from '../schedule.ts';

type Slot = 0 | 1;

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

/** Computes a block in its slot and puts it into the block's result, which `arrive` brings. */
function meet(slot: Slot, direction: Direction, arrive: readonly Operation[]): Operation[] {
  const sums = direction === 'backward' ? 'sums' : null;
  return [
    { op: 'computeBlock', query: `query${slot}`, keys: 'keys', into: 'delta', sums },
    ...arrive,
    { op: 'merge', buffer: 'delta', into: `result${slot}` },
  ];
}

/**
 * One rank's rounds: from its own queries in "query0" or "query1" and its started result in the same
 * slot, over "keys" (gradients into "sums"), until its own result is home.
 */
export function queryRing(ring: QueryRing): Operation[] {
  const { direction, ranks, place, blocksAt, isSkipped = () => false, overlap = true } = ring;
  const n = ranks.length;
  const { start } = ringSlots(direction, n);
  const [right = 0, left = 0] = [ranks[(place + 1) % n], ranks[(place - 1 + n) % n]];
  const placeAt = (round: number): number => (place - round + n * 2) % n;
  const slotOf = (round: number): Slot => ((round + start) % 2 === 0 ? 0 : 1);
  const query = (round: number) => {
    const [buffer, blocks] = [`query${slotOf(round)}`, blocksAt(placeAt(round))];
    return { lane: 'query', buffer, blocks } as const;
  };
  const result = (slot: Slot, round: number) =>
    ({ lane: 'result', buffer: `result${slot}`, blocks: blocksAt(placeAt(round)) }) as const;
  const list: Operation[] = [];
  for (let round = 0; round < n; round++) {
    const slot = slotOf(round);
    const sendQuery: Operation[] =
      round === n - 1 ? [] : [{ op: 'send', ...query(round), to: right }];
    const sendResult: Operation[] =
      round === 0 ? [] : [{ op: 'send', ...result(slotOf(round - 1), round - 1), to: right }];
    const arrive: Operation[] =
      round === 0 ? [] : [{ op: 'receive', ...result(slot, round), from: left }];
    const receiveQuery: Operation[] =
      round === n - 1 ? [] : [{ op: 'receive', ...query(round + 1), from: left }];
    const skipped = isSkipped(placeAt(round), place);
    const met = (arriving: Operation[]) => (skipped ? arriving : meet(slot, direction, arriving));
    if (overlap) list.push(...sendQuery, ...sendResult, ...met(arrive), ...receiveQuery);
    else list.push(...sendResult, ...arrive, ...met([]), ...sendQuery, ...receiveQuery);
  }
  if (n > 1) {
    list.push({ op: 'send', ...result(slotOf(n - 1), n - 1), to: right });
    list.push({ op: 'receive', ...result(slotOf(n), n), from: left });
  }
  return list;
}
