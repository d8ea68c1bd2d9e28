/**
 * Ring Attention: queries stay, keys and values travel round the ring.
 *
 * Liu, Zaharia and Abbeel, 2023. In round r rank i meets the keys of block (i − r) mod n, which it
 * has already passed on. Keys make n − 1 hops. Backward the gradients of a key block follow its keys
 * one step behind, gaining each rank's share, and make n hops, the last one home.
 * @module
 */
import type { Direction, Operation } from '../schedule.ts';
import {
  blockOf,
  finishKeys,
  listed,
  type MakeInPieces,
  ownKeys,
  type Pieces,
  release,
  type ScheduleOptions,
} from './parts.ts';

export interface RingOptions extends ScheduleOptions {
  /** Keys and values travel once for every query head, as most published code sends them. */
  readonly expanded?: boolean;
}

type Slot = 0 | 1;

/** The own keys into their slot: as they are, or once for every query head. */
function prepare(into: string, options: RingOptions): Operation[] {
  if (!options.expanded) return [ownKeys(into, options)];
  return [ownKeys('grouped', options), { op: 'expandHeads', buffer: 'grouped', into }];
}

/** Backward: the gradients, which came home into `buffer`, are kept. */
function keep(direction: Direction, buffer: string, options: RingOptions): Operation[] {
  if (!options.expanded || direction === 'forward') return finishKeys(direction, options, buffer);
  return [
    { op: 'reduceHeads', buffer, into: 'sums' },
    ...release(buffer),
    ...finishKeys(direction, options, 'sums'),
  ];
}

/** What a slot's keys and gradients go through in a round, the same at all ranks. */
function meeting(slot: Slot, direction: Direction) {
  const [keys, gradients] = [`keys${slot}`, `gradients${slot}`];
  const backward = direction === 'backward';
  const sums = backward ? 'share' : null;
  const share: Operation = { op: 'initGradients', into: 'share', like: keys };
  const compute: Operation = { op: 'computeBlock', query: 'query', keys, into: 'delta', sums };
  const merge: Operation = { op: 'merge', buffer: 'delta', into: 'result' };
  return {
    ...{ keys, gradients },
    compute: backward ? [share, compute, merge] : [compute, merge],
    start: { op: 'initGradients', into: gradients, like: keys } satisfies Operation,
    add: { op: 'merge', buffer: 'share', into: gradients } satisfies Operation,
  };
}

function* rankPieces(rank: number, n: number, direction: Direction, options: RingOptions): Pieces {
  const [to, from] = [(rank + 1) % n, (rank - 1 + n) % n];
  const blocksAt = (round: number) => blockOf((rank - round + 2 * n) % n);
  const backward = direction === 'backward';
  // A backward pass starts in the slot that the forward pass has not sent from last.
  const start = backward && n > 1 ? (n - 1) % 2 : 0;
  const slots = [meeting(0, direction), meeting(1, direction)] as const;
  const slotAt = (round: number) => slots[(round + start) % 2 === 0 ? 0 : 1];
  yield [
    ...prepare(slotAt(0).keys, options),
    { op: 'loadQuery', into: 'query' },
    { op: 'initResult', into: 'result', like: 'query', sink: true },
  ];
  const send = (lane: 'keys' | 'gradients', r: number): Operation => {
    return { op: 'send', lane, buffer: slotAt(r)[lane], blocks: blocksAt(r), to };
  };
  const receive = (lane: 'keys' | 'gradients', r: number): Operation => {
    return { op: 'receive', lane, buffer: slotAt(r)[lane], blocks: blocksAt(r), from };
  };
  for (let r = 0; r < n; r++) {
    const slot = slotAt(r);
    const list: Operation[] = [];
    if (r < n - 1) list.push(send('keys', r));
    if (backward && r > 0) list.push(send('gradients', r - 1));
    list.push(...slot.compute);
    if (backward && r === 0) list.push(slot.start);
    if (backward && r > 0) list.push(receive('gradients', r));
    if (backward) list.push(slot.add);
    if (r < n - 1) list.push(receive('keys', r + 1));
    yield list;
  }
  yield [{ op: 'finish', buffer: 'result' }];
  if (backward && n > 1) yield [send('gradients', n - 1), receive('gradients', n)];
  yield keep(direction, slotAt(n === 1 ? 0 : n).gradients, options);
}

export const ringAttention: MakeInPieces<RingOptions> = (layout, direction, options = {}) => ({
  ...{ name: 'ring-attention', direction, layout },
  piecesOf: (rank) => rankPieces(rank, layout.ranks, direction, options),
});

export const ringAttentionSchedule = listed(ringAttention);
