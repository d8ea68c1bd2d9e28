/**
 * Wrong schedules: each is LV-XAttn with one mistake that somebody has made or could make.
 * @module
 */
import type { Direction, Operation, Schedule, Slot } from '../../gpu/schedule.ts';

export interface Mutation {
  readonly name: string;
  /** What is wrong, and where it was seen when it was. */
  readonly story: string;
  readonly ranks: number;
  readonly passes: readonly Direction[];
  readonly recompute?: boolean;
  /** Switches of lanes.pml, where the mistake is in what an operation does. */
  readonly switches?: readonly string[];
  /** The check of lanes.pml that refuses it, or `deadlock`. */
  readonly refusedBy: string;
  readonly mutate: (
    operations: readonly Operation[],
    rank: number,
    direction: Direction,
  ) => readonly Operation[];
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
    passes: ['forward'],
    refusedBy: 'home',
    mutate: (list) => without(list, [lastIndexOf(list, 'send'), lastIndexOf(list, 'receive')]),
  },
  {
    name: 'wrong-parity',
    story: 'published code: with an odd number of ranks the other buffer is returned',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'home',
    mutate: (list) => list.map((o) => (o.op === 'finish' ? { ...o, slot: 0 } : o)),
  },
  {
    name: 'single-query-buffer',
    story: 'the next queries arrive in the buffer that is still being sent',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'slotFree',
    mutate: (list) => list.map((operation) => oneSlot(operation, 'query')),
  },
  {
    name: 'single-result-buffer',
    story: 'the next partial result arrives in the buffer that is still being sent',
    ranks: 4,
    passes: ['backward'],
    refusedBy: 'slotFree',
    mutate: (list) => list.map((operation) => oneSlot(operation, 'result')),
  },
  {
    name: 'swapped-lanes',
    story: 'one rank receives queries from the lane of the results, and results from the other',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'deadlock',
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
    passes: ['forward'],
    refusedBy: 'rightBlock',
    mutate: (list) => {
      const at = list.findIndex((o) => o.op === 'receive' && o.lane === 'result');
      return swapped(list, at, at + 1);
    },
  },
  {
    name: 'merged-twice',
    story: 'one round merges its partial result twice',
    ranks: 2,
    passes: ['forward'],
    refusedBy: 'mergedOnce',
    mutate: (list) => list.flatMap((o, n) => (n === lastIndexOf(list, 'merge') ? [o, o] : [o])),
  },
  {
    name: 'other-slot-computed',
    story: 'the kernel reads the query buffer that is being filled',
    ranks: 2,
    passes: ['backward'],
    refusedBy: 'rightBlock',
    mutate: (list) =>
      list.map((o) => (o.op === 'computeBlock' ? { ...o, slot: opposite(o.slot) } : o)),
  },
  {
    name: 'round-left-out',
    story: 'the loop runs one round too few: a pair of blocks is never computed',
    ranks: 4,
    passes: ['forward'],
    refusedBy: 'complete',
    mutate: (list) =>
      without(list, [lastIndexOf(list, 'computeBlock'), lastIndexOf(list, 'merge')]),
  },
  {
    name: 'sent-before-merge',
    story: 'a result leaves before its last partial result is merged',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'slotFree',
    mutate: (list) => swapped(list, lastIndexOf(list, 'merge'), lastIndexOf(list, 'send')),
  },
  {
    name: 'receive-first',
    story: 'every rank waits for its neighbour before it sends: nobody moves',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'deadlock',
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
    passes: ['forward'],
    refusedBy: 'wiresEmpty',
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
    passes: ['backward'],
    refusedBy: 'projected',
    recompute: true,
    mutate: (list) => {
      const at = lastIndexOf(list, 'computeBlock');
      const project = list.filter((o) => o.op === 'projectGradients');
      const rest = list.filter((o) => o.op !== 'projectGradients');
      return [...rest.slice(0, at), ...project, ...rest.slice(at)];
    },
  },
  {
    name: 'slots-start-over',
    story: 'backward starts in slot 0 whatever the parity: found by Spin in our own schedule',
    ranks: 3,
    passes: ['forward', 'backward'],
    refusedBy: 'slotFree',
    mutate: (list, _, direction) =>
      direction === 'forward'
        ? list
        : list.map((o) => ('slot' in o ? { ...o, slot: opposite(o.slot) } : o)),
  },
  {
    name: 'one-rank-recomputes-not',
    story: 'one rank computes with the keys of the step before',
    ranks: 2,
    passes: ['forward'],
    refusedBy: 'keysThere',
    recompute: true,
    mutate: (list, rank) => (rank === 1 ? list.filter((o) => o.op !== 'recomputeKV') : list),
  },
  {
    name: 'none-recomputes-backward',
    story: 'the backward pass relies on keys that activation recomputation has thrown away',
    ranks: 2,
    passes: ['forward', 'backward'],
    refusedBy: 'keysThere',
    recompute: true,
    mutate: (list, _, direction) =>
      direction === 'backward' ? list.filter((o) => o.op !== 'recomputeKV') : list,
  },
  {
    name: 'never-projected',
    story: 'dY, dW_K and dW_V are left out',
    ranks: 2,
    passes: ['backward'],
    refusedBy: 'projected',
    recompute: true,
    mutate: (list) => list.filter((o) => o.op !== 'projectGradients'),
  },
  {
    name: 'projected-twice',
    story: 'the gradients of the weights count double',
    ranks: 2,
    passes: ['backward'],
    refusedBy: 'projected',
    recompute: true,
    mutate: (list) =>
      list.flatMap((o): Operation[] => (o.op === 'projectGradients' ? [o, o] : [o])),
  },
  {
    name: 'wrong-keys',
    story: "a rank takes its left neighbour's keys for its own",
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'keysThere',
    mutate: (list) =>
      list.map((o) => (o.op === 'computeBlock' ? { ...o, keys: (o.keys + 2) % 3 } : o)),
  },
  {
    name: 'computed-twice',
    story: 'the first block is met twice, each time merged',
    ranks: 2,
    passes: ['backward'],
    refusedBy: 'pairOnce',
    mutate: (list) => {
      const at = list.findIndex((o) => o.op === 'merge');
      const again = list.filter((o) => o.op === 'computeBlock').slice(0, 1);
      return [...list.slice(0, at + 1), ...again, ...list.slice(at)];
    },
  },
  {
    name: 'delta-overwritten',
    story: 'the kernel of the next round starts before the partial result of this one is merged',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'deltaUsed',
    mutate: (list) => {
      const computed = list.flatMap((o, n) => (o.op === 'computeBlock' ? [n] : []));
      const merge = list.findIndex((o) => o.op === 'merge');
      const [, second = 0] = computed;
      const moved = list.slice(merge, merge + 1);
      return [
        ...list.slice(0, merge),
        ...list.slice(merge + 1, second + 1),
        ...moved,
        ...list.slice(second + 1),
      ];
    },
  },
  {
    name: 'result-restarted',
    story: 'the result of a block is set to zero again on its way',
    ranks: 1,
    passes: ['forward'],
    refusedBy: 'complete',
    mutate: (list) => {
      const init = list.filter((o) => o.op === 'initResult');
      const at = lastIndexOf(list, 'finish');
      return [...list.slice(0, at), ...init, ...list.slice(at)];
    },
  },
  {
    name: 'starts-with-another-block',
    story: "a rank loads its neighbour's block as its own",
    ranks: 2,
    passes: ['forward'],
    refusedBy: 'home',
    mutate: (list) => list.map((o) => (o.op === 'loadQuery' ? { ...o, block: 1 - o.block } : o)),
  },
  {
    name: 'never-finished',
    story: 'the block comes home and nobody keeps it',
    ranks: 2,
    passes: ['forward', 'backward'],
    refusedBy: 'home',
    mutate: (list) => list.filter((o) => o.op !== 'finish'),
  },
  {
    name: 'two-senders',
    story: 'two ranks fill one mailbox, which has no lock, each in its turn',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'oneSender',
    mutate: (list, rank) => {
      const at = lastIndexOf(list, 'finish');
      const message = { lane: 'query', slot: 0, block: 0 } as const;
      const extra: Operation[][] = [
        [],
        [{ op: 'receive', ...message, from: 2 }],
        [{ op: 'send', ...message, to: 1 }],
      ];
      return [...list.slice(0, at), ...(extra[rank] ?? []), ...list.slice(at)];
    },
  },
  {
    name: 'sums-kept',
    story: 'a second backward pass adds to the dK, dV, dBias and dSink of the first',
    ranks: 2,
    passes: ['forward', 'backward', 'forward', 'backward'],
    switches: ['KEEPING'],
    refusedBy: 'summedOnce',
    mutate: (list) => list,
  },
  {
    name: 'loaded-twice',
    story: 'queries are loaded twice, and each time their rows are added to dSink',
    ranks: 2,
    passes: ['forward', 'backward'],
    switches: ['ADDING'],
    refusedBy: 'summedOnce',
    mutate: (list) => list.flatMap((o): Operation[] => (o.op === 'loadQuery' ? [o, o] : [o])),
  },
  {
    name: 'wrong-sender',
    story: 'a rank believes its messages come from the right neighbour',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'expected',
    mutate: (list) => list.map((o) => (o.op === 'receive' ? { ...o, from: (o.from + 2) % 3 } : o)),
  },
];

/** The mutated passes. */
export function mutated(passes: readonly Schedule[], { mutate }: Mutation): Schedule[] {
  return passes.map((pass) => ({
    ...pass,
    ranks: pass.ranks.map((list, rank) => mutate(list, rank, pass.direction)),
  }));
}
