/**
 * Wrong schedules: each is one of ours with one mistake that somebody has made or could make.
 * @module
 */
import type { BufferName, Direction, Operation, Schedule } from '../../gpu/schedule.ts';

export interface Mutation {
  readonly name: string;
  /** What is wrong, and where it was seen when it was. */
  readonly story: string;
  /** Whose mistake it is; LV-XAttn's when absent. */
  readonly schedule?: string;
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

/** An operation on other buffers. */
function renamed(operation: Operation, name: (buffer: BufferName) => BufferName): Operation {
  const fields = Object.entries(operation).map(([field, value]) => {
    const isBuffer = ['into', 'like', 'buffer', 'query', 'keys', 'sums'].includes(field);
    if (field === 'buffers') return [field, (value as readonly BufferName[]).map(name)];
    return [field, isBuffer && typeof value === 'string' ? name(value) : value];
  });
  return Object.fromEntries(fields) as Operation;
}

/** The other one of two slots. */
const opposite = (buffer: BufferName): BufferName =>
  buffer.replace(/[01]$/, (slot) => (slot === '0' ? '1' : '0'));

/** Both slots of a name in one. */
const inOneSlot =
  (name: string) =>
  (buffer: BufferName): BufferName =>
    buffer.replace(new RegExp(`^${name}[01]$`), `${name}0`);

/** TokenRing with so many buffers of partial results: each round's is made and sent in the next one. */
function withParts(operations: readonly Operation[], slots: number): Operation[] {
  let [computed, sent] = [0, 1];
  return operations.map((o) => {
    if (o.op === 'computeBlock') return { ...o, into: `part${computed++ % slots}` };
    if (o.op === 'send' && o.lane === 'result') return { ...o, buffer: `part${sent++ % slots}` };
    return renamed(o, (buffer) => buffer.replace(/^\w+ part0$/, 'part0'));
  });
}

const indexOf = (operations: readonly Operation[], op: Operation['op']): number =>
  operations.findIndex((operation) => operation.op === op);

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
    mutate: (list) => list.map((o) => (o.op === 'finish' ? { ...o, buffer: 'result0' } : o)),
  },
  {
    name: 'single-query-buffer',
    story: 'the next queries arrive in the buffer that is still being sent',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'slotFree',
    mutate: (list) => list.map((o) => renamed(o, inOneSlot('query'))),
  },
  {
    name: 'single-result-buffer',
    story: 'the next partial result arrives in the buffer that is still being sent',
    ranks: 4,
    passes: ['backward'],
    refusedBy: 'slotFree',
    mutate: (list) => list.map((o) => renamed(o, inOneSlot('result'))),
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
      list.map((o) => (o.op === 'computeBlock' ? { ...o, query: opposite(o.query) } : o)),
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
      direction === 'forward' ? list : list.map((o) => renamed(o, opposite)),
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
    refusedBy: 'deltaUsed',
    mutate: (list) => {
      const init = list.filter((o) => o.op === 'initResult');
      const at = lastIndexOf(list, 'finish');
      return [...list.slice(0, at), ...init, ...list.slice(at)];
    },
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
    story: 'a rank waits for messages from its right neighbour, who sends it none',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'deadlock',
    mutate: (list) => list.map((o) => (o.op === 'receive' ? { ...o, from: (o.from + 2) % 3 } : o)),
  },
  {
    name: 'wrong-block-awaited',
    story: 'a rank counts the blocks that come round the ring the wrong way',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'expected',
    mutate: (list) =>
      list.map((o) =>
        o.op === 'receive' ? { ...o, blocks: o.blocks.map((block) => (block + 1) % 3) } : o,
      ),
  },
  {
    name: 'diagonal-skipped',
    story: 'a causal mask is taken to empty the blocks on the diagonal too',
    schedule: 'lv-xattn, causal blocks skipped',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'complete',
    // The own block is what a rank meets in its first round.
    mutate: (list) => without(list, [indexOf(list, 'computeBlock'), indexOf(list, 'merge')]),
  },
  {
    name: 'keys-in-one-slot',
    story: 'ring attention: the next keys arrive where the last ones are still being sent from',
    schedule: 'ring-attention',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'slotFree',
    mutate: (list) => list.map((o) => renamed(o, inOneSlot('keys'))),
  },
  {
    name: 'keys-a-round-early',
    story: 'ring attention: the kernel reads the slot in which the next keys have not arrived',
    schedule: 'ring-attention',
    ranks: 2,
    passes: ['forward'],
    refusedBy: 'keysThere',
    mutate: (list) =>
      list.map((o) => (o.op === 'computeBlock' ? { ...o, keys: opposite(o.keys) } : o)),
  },
  {
    name: 'gradients-a-hop-short',
    story: 'ring attention: dK and dV stop where the keys stop, one hop before their home',
    schedule: 'ring-attention',
    ranks: 3,
    passes: ['backward'],
    refusedBy: 'home',
    mutate: (list) => without(list, [lastIndexOf(list, 'send'), lastIndexOf(list, 'receive')]),
  },
  {
    name: 'share-kept',
    story: 'ring attention: the share of dK and dV is not started anew in every round',
    schedule: 'ring-attention',
    ranks: 3,
    passes: ['backward'],
    refusedBy: 'rightBlock',
    mutate: (list) => {
      const starts = list.flatMap((o, n) =>
        o.op === 'initGradients' && o.into === 'share' ? [n] : [],
      );
      return without(list, starts.slice(1));
    },
  },
  {
    name: 'block-not-gathered',
    story: 'all-gather: one block of keys is left out of those that are computed with',
    schedule: 'all-gather-kv',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'complete',
    mutate: (list) =>
      list.map((o) => (o.op === 'join' ? { ...o, buffers: o.buffers.slice(0, -1) } : o)),
  },
  {
    name: 'own-share-twice',
    story: 'reduce-scatter: the own share of dK and dV is added once more',
    schedule: 'all-gather-kv',
    ranks: 2,
    passes: ['backward'],
    refusedBy: 'summedOnce',
    mutate: (list, rank) =>
      list.flatMap((o): Operation[] =>
        o.op === 'merge' && o.buffer === `sums for ${rank}` ? [o, o] : [o],
      ),
  },
  {
    name: 'parts-sent-to-others',
    story: 'pass-q: partial results of the two other blocks are sent each to the home of the other',
    schedule: 'pass-q',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'expected',
    mutate: (list, rank) =>
      list.map((o) => (o.op === 'send' && o.lane === 'result' ? { ...o, to: 3 - rank - o.to } : o)),
  },
  {
    name: 'sinks-forgotten',
    story: 'pass-q: partial results have no sinks, and neither has what they are merged into',
    schedule: 'pass-q',
    ranks: 2,
    passes: ['forward'],
    refusedBy: 'complete',
    mutate: (list) => list.map((o) => (o.op === 'initResult' ? { ...o, sink: false } : o)),
  },
  {
    name: 'parts-in-one-slot',
    story: 'token-ring: the kernel writes the partial result that is still on its way home',
    schedule: 'token-ring',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'slotFree',
    mutate: (list) => withParts(list, 1),
  },
  {
    name: 'parts-in-two-slots',
    story: 'token-ring: a home is a round behind, and what it is to read is written again',
    schedule: 'token-ring',
    ranks: 4,
    passes: ['forward'],
    refusedBy: 'slotFree',
    mutate: (list) => withParts(list, 2),
  },
  {
    name: 'part-sent-a-round-early',
    story: 'token-ring: what goes home beside a round is what that round is still to find',
    schedule: 'token-ring',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'rightBlock',
    mutate: (list) => {
      const sends = list.flatMap((o) => (o.op === 'send' && o.lane === 'result' ? [o] : []));
      let n = 0;
      return list.map((o) =>
        o.op === 'send' && o.lane === 'result' ? { ...o, ...sends[++n % sends.length] } : o,
      );
    },
  },
  {
    name: 'part-not-fetched',
    story: 'token-ring: nobody takes the last partial result that comes home',
    schedule: 'token-ring',
    ranks: 2,
    passes: ['forward'],
    refusedBy: 'complete',
    mutate: (list) => {
      const at = lastIndexOf(list, 'receive');
      return without(list, [at, at + 1]);
    },
  },
  {
    name: 'query-heads-dealt-otherwise',
    story: 'Ulysses: queries are dealt out by heads from the other end than keys',
    schedule: 'ulysses',
    ranks: 2,
    passes: ['forward'],
    refusedBy: 'keysThere',
    mutate: (list) =>
      list.map((o) =>
        o.op === 'takeHeads' && o.buffer === 'forward query'
          ? { ...o, from: 1 - o.from, to: 3 - o.to }
          : o,
      ),
  },
  {
    name: 'own-rows-to-everybody',
    story: 'Ulysses: a rank sends everybody the rows of its own block',
    schedule: 'ulysses',
    ranks: 3,
    passes: ['forward'],
    refusedBy: 'rightBlock',
    mutate: (list, rank) => list.map((o) => (o.op === 'takeBlocks' ? { ...o, blocks: [rank] } : o)),
  },
  {
    name: 'rows-not-sent',
    story: 'Ulysses: rows are cut out of the result for another rank and never sent there',
    schedule: 'ulysses',
    ranks: 2,
    passes: ['forward'],
    refusedBy: 'deltaUsed',
    mutate: (list, rank) =>
      rank === 0 ? list.filter((o) => !(o.op === 'send' && o.lane === 'result')) : list,
  },
  {
    name: 'everybody-the-same-heads',
    story: 'head-parallel: every rank computes the first heads',
    schedule: 'head-parallel',
    ranks: 2,
    passes: ['forward'],
    refusedBy: 'mergedOnce',
    mutate: (list) => list.map((o) => (o.op === 'takeHeads' ? { ...o, from: 0, to: 1 } : o)),
  },
  {
    name: 'sinks-in-every-group',
    story: 'USP: the result that goes round the groups starts with the sinks, and so does the home',
    schedule: 'usp in groups of two',
    ranks: 4,
    passes: ['forward'],
    refusedBy: 'mergedOnce',
    mutate: (list) => list.map((o) => (o.op === 'initResult' ? { ...o, sink: true } : o)),
  },
];

/** The mutated passes. */
export function mutated(passes: readonly Schedule[], { mutate }: Mutation): Schedule[] {
  return passes.map((pass) => ({
    ...pass,
    ranks: pass.ranks.map((list, rank) => mutate(list, rank, pass.direction)),
  }));
}
