/**
 * Ring Attention: queries stay, keys and values travel round the ring.
 *
 * Liu, Zaharia and Abbeel, 2023. In round r rank i meets the keys of block (i − r) mod n, which it
 * has already passed on. Keys make n − 1 hops. Backward the gradients of a key block follow its keys
 * one step behind, gaining each rank's share, and make n hops, the last one home.
 * @module
 */
import type { Partition } from '../../reference/case/case.ts';
import type { Direction, Operation, Schedule } from '../schedule.ts';
import {
  blockOf,
  eachRank,
  finishKeys,
  ownKeys,
  range,
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

function rankOperations(
  rank: number,
  n: number,
  direction: Direction,
  options: RingOptions,
): Operation[] {
  const [right, left] = [(rank + 1) % n, (rank - 1 + n) % n];
  const blocksAt = (round: number) => blockOf((rank - round + 2 * n) % n);
  const backward = direction === 'backward';
  // A backward pass starts in the slot that the forward pass has not sent from last.
  const start = backward && n > 1 ? (n - 1) % 2 : 0;
  const slotOf = (round: number): Slot => ((round + start) % 2 === 0 ? 0 : 1);
  const keys = (round: number) => {
    const buffer = `keys${slotOf(round)}`;
    return { lane: 'keys', buffer, blocks: blocksAt(round) } as const;
  };
  const gradients = (round: number) => {
    const buffer = `gradients${slotOf(round)}`;
    return { lane: 'gradients', buffer, blocks: blocksAt(round) } as const;
  };
  const round = (r: number): Operation[] => {
    const own = keys(r).buffer;
    const send: Operation[] = r === n - 1 ? [] : [{ op: 'send', ...keys(r), to: right }];
    const behind: Operation[] = r === 0 ? [] : [{ op: 'send', ...gradients(r - 1), to: right }];
    const sums = backward ? 'share' : null;
    const share: Operation[] = backward ? [{ op: 'initGradients', into: 'share', like: own }] : [];
    const arrive: Operation[] =
      r === 0
        ? [{ op: 'initGradients', into: gradients(0).buffer, like: own }]
        : [{ op: 'receive', ...gradients(r), from: left }];
    return [
      ...send,
      ...(backward ? behind : []),
      ...share,
      { op: 'computeBlock', query: 'query', keys: own, into: 'delta', sums },
      { op: 'merge', buffer: 'delta', into: 'result' },
      ...(backward ? arrive : []),
      ...(backward ? [{ op: 'merge', buffer: 'share', into: gradients(r).buffer } as const] : []),
      ...(r === n - 1 ? [] : [{ op: 'receive', ...keys(r + 1), from: left } as const]),
    ];
  };
  const hopHome: Operation[] =
    n === 1
      ? []
      : [
          { op: 'send', ...gradients(n - 1), to: right },
          { op: 'receive', ...gradients(n), from: left },
        ];
  return [
    ...prepare(keys(0).buffer, options),
    { op: 'loadQuery', into: 'query' },
    { op: 'initResult', into: 'result', like: 'query', sink: true },
    ...range(n).flatMap(round),
    { op: 'finish', buffer: 'result' },
    ...(backward ? hopHome : []),
    ...keep(direction, gradients(n === 1 ? 0 : n).buffer, options),
  ];
}

export function ringAttentionSchedule(
  layout: Partition,
  direction: Direction,
  options: RingOptions = {},
): Schedule {
  const ranks = eachRank(layout, (rank, n) => rankOperations(rank, n, direction, options));
  return { name: 'ring-attention', direction, layout, ranks };
}
