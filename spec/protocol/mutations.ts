/**
 * Wrong schedules: each is LV-XAttn with one mistake that somebody has made or could make.
 * @module
 */
import type { Operation, Schedule, Slot } from '../../gpu/schedule.ts';

export interface Mutation {
  readonly name: string;
  /** What is wrong, and where it was seen when it was. */
  readonly story: string;
  readonly ranks: number;
  readonly direction: Schedule['direction'];
  readonly recompute?: boolean;
  readonly mutate: (operations: readonly Operation[], rank: number) => readonly Operation[];
}

type Send = Extract<Operation, { op: 'send' | 'receive' }>;
const isMessage = (operation: Operation): operation is Send =>
  operation.op === 'send' || operation.op === 'receive';
const opposite = (slot: Slot): Slot => (slot === 0 ? 1 : 0);

/** Every operation of a lane's buffers put into slot 0. */
function oneSlot(operation: Operation, lane: 'query' | 'result'): Operation {
  if (isMessage(operation)) return operation.lane === lane ? { ...operation, slot: 0 } : operation;
  const onQuery = operation.op === 'loadQuery' || operation.op === 'computeBlock';
  const onResult =
    operation.op === 'initResult' || operation.op === 'merge' || operation.op === 'finish';
  return (lane === 'query' ? onQuery : onResult) && 'slot' in operation
    ? { ...operation, slot: 0 }
    : operation;
}

function lastIndexOf(operations: readonly Operation[], op: Operation['op']): number {
  return operations.reduce((last, operation, n) => (operation.op === op ? n : last), -1);
}

function without(operations: readonly Operation[], indices: readonly number[]): Operation[] {
  return operations.filter((_, n) => !indices.includes(n));
}

function swapped(operations: readonly Operation[], a: number, b: number): Operation[] {
  return operations.map((operation, n) => {
    if (n === a) return operations[b] ?? operation;
    return n === b ? (operations[a] ?? operation) : operation;
  });
}

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'missing-last-hop',
    story: 'Algorithm 1 of the paper ends one hop early: no block is home',
    ranks: 4,
    direction: 'forward',
    mutate: (list) => without(list, [lastIndexOf(list, 'send'), lastIndexOf(list, 'receive')]),
  },
  {
    name: 'wrong-parity',
    story: 'published code: with an odd number of ranks the other buffer is returned',
    ranks: 3,
    direction: 'forward',
    mutate: (list) => list.map((o) => (o.op === 'finish' ? { ...o, slot: 0 } : o)),
  },
  {
    name: 'single-query-buffer',
    story: 'the next queries arrive in the buffer that is still being sent',
    ranks: 3,
    direction: 'forward',
    mutate: (list) => list.map((operation) => oneSlot(operation, 'query')),
  },
  {
    name: 'single-result-buffer',
    story: 'the next partial result arrives in the buffer that is still being sent',
    ranks: 4,
    direction: 'backward',
    mutate: (list) => list.map((operation) => oneSlot(operation, 'result')),
  },
  {
    name: 'swapped-lanes',
    story: 'one rank receives queries from the lane of the results, and results from the other',
    ranks: 3,
    direction: 'forward',
    mutate: (list, rank) =>
      list.map((o) =>
        o.op === 'receive' && rank === 1
          ? { ...o, lane: o.lane === 'query' ? ('result' as const) : ('query' as const) }
          : o,
      ),
  },
  {
    name: 'merge-before-receive',
    story: 'a partial result is merged into the buffer before the block it belongs to is there',
    ranks: 3,
    direction: 'forward',
    mutate: (list) => {
      const at = list.findIndex((o) => o.op === 'receive' && o.lane === 'result');
      return swapped(list, at, at + 1);
    },
  },
  {
    name: 'merged-twice',
    story: 'one round merges its partial result twice',
    ranks: 2,
    direction: 'forward',
    mutate: (list) => list.flatMap((o, n) => (n === lastIndexOf(list, 'merge') ? [o, o] : [o])),
  },
  {
    name: 'other-slot-computed',
    story: 'the kernel reads the query buffer that is being filled',
    ranks: 2,
    direction: 'backward',
    mutate: (list) =>
      list.map((o) => (o.op === 'computeBlock' ? { ...o, slot: opposite(o.slot) } : o)),
  },
  {
    name: 'round-left-out',
    story: 'the loop runs one round too few: a pair of blocks is never computed',
    ranks: 4,
    direction: 'forward',
    mutate: (list) =>
      without(list, [lastIndexOf(list, 'computeBlock'), lastIndexOf(list, 'merge')]),
  },
  {
    name: 'sent-before-merge',
    story: 'a result leaves before its last partial result is merged',
    ranks: 3,
    direction: 'forward',
    mutate: (list) => swapped(list, lastIndexOf(list, 'merge'), lastIndexOf(list, 'send')),
  },
  {
    name: 'receive-first',
    story: 'every rank waits for its neighbour before it sends: nobody moves',
    ranks: 3,
    direction: 'forward',
    mutate: (list) => {
      const send = list.findIndex((o) => o.op === 'send');
      const receive = list.findIndex((o) => o.op === 'receive');
      return swapped(list, send, receive);
    },
  },
  {
    name: 'message-left-over',
    story: 'one rank sends its queries once more than anybody receives them',
    ranks: 2,
    direction: 'forward',
    mutate: (list, rank) => {
      const first = list.find((o) => o.op === 'send' && o.lane === 'query');
      const at = lastIndexOf(list, 'finish');
      return rank === 0 && first !== undefined
        ? [...list.slice(0, at), first, ...list.slice(at)]
        : list;
    },
  },
  {
    name: 'projected-early',
    story: 'dY is computed before dK and dV have met every query block',
    ranks: 3,
    direction: 'backward',
    recompute: true,
    mutate: (list) => {
      const at = lastIndexOf(list, 'computeBlock');
      const project = list.filter((o) => o.op === 'projectGradients');
      const rest = list.filter((o) => o.op !== 'projectGradients');
      return [...rest.slice(0, at), ...project, ...rest.slice(at)];
    },
  },
];

/** The mutated schedule. */
export function mutated(schedule: Schedule, { mutate }: Mutation): Schedule {
  return { ...schedule, ranks: schedule.ranks.map((list, rank) => mutate(list, rank)) };
}
