/**
 * What each schedule does in a layer, forward and backward, as phases; and when it cannot be used.
 *
 * LV-XAttn, Ring Attention, DeepSpeed-Ulysses and Megatron's heads as the LV-XAttn paper counts
 * them; the others as their own papers describe the forward pass, with the backward pass that
 * mirrors it. Blocks are equal and may be fractions of a row.
 * @module
 */
import { blockPairFlops, projectionFlops } from './flops.ts';
import {
  bytesOf,
  type Direction,
  keyGradientMessage,
  keyMessage,
  queryMessage,
  resultMessage,
} from './messages.ts';
import {
  alone,
  around,
  NEXT,
  type Pass,
  type Phase,
  plainPass,
  projecting,
  type Route,
  ringPass,
  type Transfer,
  withoutOverlap,
} from './phases.ts';
import { keyExtents, type Options, queryExtents, type Workload, widthOf } from './workload.ts';

export const SCHEDULE_NAMES = [
  ...(['lv-xattn', 'ring-attention', 'ulysses', 'head-parallel'] as const),
  ...(['all-gather-kv', 'pass-q', 'usp', 'token-ring'] as const),
] as const;
export type ScheduleName = (typeof SCHEDULE_NAMES)[number];

export interface LayerCost {
  readonly forward: Pass;
  readonly backward: Pass;
}

const DIRECTIONS = ['forward', 'backward'] as const;

/** Operations of one of n² block pairs; every rank has n of them in every schedule. */
function pairFlops(w: Workload, direction: Direction): number {
  const { heads, head_dim } = w;
  const [rows, keys] = [w.seq_q / w.ranks, w.seq_kv / w.ranks];
  return blockPairFlops({ rows, keys, heads, head_dim, head_dim_v: head_dim }, direction);
}

/** The four projections of a rank's rows: Q and O of the text, K and V of the features. */
function projections(w: Workload): { readonly text: number; readonly keys: number } {
  const kvWidth = w.kv_heads * w.head_dim;
  return {
    text: 2 * projectionFlops(w.seq_q / w.ranks, w.hidden, widthOf(w)),
    keys: projectionFlops(w.seq_kv / w.ranks, w.visual_dim, 2 * kvWidth),
  };
}

function lvXattn(w: Workload, direction: Direction, options: Options): Pass {
  const x = queryExtents(w);
  return ringPass(w.ranks, {
    attention: pairFlops(w, direction),
    ahead: bytesOf(queryMessage(x, direction, options.backwardSends), w),
    behind: bytesOf(resultMessage(x, direction), w),
    summed: direction === 'backward',
  });
}

function ringAttention(w: Workload, direction: Direction, options: Options): Pass {
  const x = keyExtents(w, options.expandedHeads ? w.heads : w.kv_heads);
  return ringPass(w.ranks, {
    attention: pairFlops(w, direction),
    ahead: bytesOf(keyMessage(x), w),
    behind: direction === 'forward' ? 0 : bytesOf(keyGradientMessage(x), w),
    summed: true,
  });
}

/** Bytes of a rank's rows of queries and of keys, all heads, without LSE. */
function blockBytes(w: Workload): { readonly queries: number; readonly keys: number } {
  const e = widthOf(w) * w.element_bytes;
  return { queries: (w.seq_q / w.ranks) * e, keys: (w.seq_kv / w.ranks) * e };
}

/** All-to-all within `group` ranks of what a rank holds: it keeps one part in `group`. */
const exchange = (held: number, group: number): Transfer => ({
  bytes: (held * (group - 1)) / group,
  route: { to: 'all', group },
  when: 'alone',
});

/** Q, K and V to heads, O back to rows; backward dO to heads, dQ, dK and dV back. */
function ulysses(w: Workload, direction: Direction): Pass {
  const { queries, keys } = blockBytes(w);
  const [rows, all] = [exchange(queries, w.ranks), exchange(queries + 2 * keys, w.ranks)];
  const attention = w.ranks * pairFlops(w, direction);
  return direction === 'forward'
    ? plainPass(attention, [all], [rows])
    : plainPass(attention, [rows], [all]);
}

/** An all-gather or a reduce-scatter round the ring: n − 1 steps of `block` bytes. */
const collective = (w: Workload, block: number): Phase => alone(block, NEXT, w.ranks - 1);

/** x and y gathered, the output scattered; backward the other way round. */
function headParallel(w: Workload, direction: Direction): Pass {
  const text = ((w.seq_q * w.hidden) / w.ranks) * w.element_bytes;
  const features = ((w.seq_kv * w.visual_dim) / w.ranks) * w.element_bytes;
  const pass = plainPass(w.ranks * pairFlops(w, direction), [], []);
  const both = collective(w, text + features);
  return steadyOf(
    direction === 'forward'
      ? around([both], pass, [collective(w, text)])
      : around([collective(w, text)], pass, [both]),
  );
}

/** Each KV head gathered once; backward gathered again, and the gradients scattered. */
function allGatherKv(w: Workload, direction: Direction): Pass {
  const x = keyExtents(w, w.kv_heads);
  const pass = plainPass(w.ranks * pairFlops(w, direction), [], []);
  const gather = collective(w, bytesOf(keyMessage(x), w));
  const scatter = collective(w, bytesOf(keyGradientMessage(x), w));
  return steadyOf(around([gather], pass, direction === 'forward' ? [] : [scatter]));
}

/** Queries go round; the n − 1 partial results of other ranks' rows go home together at the end. */
function passQ(w: Workload, direction: Direction, options: Options): Pass {
  const x = queryExtents(w);
  const ring = ringPass(w.ranks, {
    attention: pairFlops(w, direction),
    ahead: bytesOf(queryMessage(x, direction, options.backwardSends), w),
    behind: 0,
  });
  const results = (w.ranks - 1) * bytesOf(resultMessage(x, direction), w);
  return around([], ring, [alone(results, { to: 'all', group: w.ranks })]);
}

/** Ranks of a group that share heads under USP: within a node, or at most √n where a node is one. */
export function ulyssesDegree({ ranks, ranks_per_node, heads }: Workload): number {
  const most = ranks_per_node > 1 ? ranks_per_node : Math.floor(Math.sqrt(ranks));
  for (let degree = Math.min(most, heads); degree > 1; degree--) {
    const fits = ranks % degree === 0 && heads % degree === 0;
    if (fits && (ranks_per_node === 1 || ranks_per_node % degree === 0)) return degree;
  }
  return 1;
}

/** Ulysses within groups, Ring Attention between the members of the same place. */
function usp(w: Workload, direction: Direction): Pass {
  const degree = ulyssesDegree(w);
  const ranks = w.ranks / degree;
  const { queries, keys } = blockBytes(w);
  const route: Route = { to: 'next', stride: degree };
  const ring = ringPass(ranks, {
    attention: pairFlops(w, direction) * degree,
    ahead: 2 * keys,
    behind: direction === 'forward' ? 0 : 2 * keys,
    ...{ route, summed: true },
  });
  const swap = (held: number): Phase => {
    const { bytes, route: to } = exchange(held, degree);
    return alone(bytes, to);
  };
  const [rows, all] = [swap(queries), swap(queries + 2 * keys)];
  return direction === 'forward' ? around([all], ring, [rows]) : around([rows], ring, [all]);
}

/** Queries go round; each partial result goes home at once, beside the next round. */
function tokenRing(w: Workload, direction: Direction, options: Options): Pass {
  const x = queryExtents(w);
  const n = w.ranks;
  const attention = pairFlops(w, direction);
  const home: Route = { to: 'all', group: n };
  const ahead: Transfer = {
    bytes: bytesOf(queryMessage(x, direction, options.backwardSends), w),
    ...{ route: NEXT, when: 'beside' },
  };
  const result: Transfer = {
    bytes: bytesOf(resultMessage(x, direction), w),
    ...{ route: home, when: 'beside' },
  };
  const round = (rounds: number, transfers: readonly Transfer[]): Phase => ({
    ...{ rounds, attention, projections: 0, transfers },
  });
  const steady = round(Math.max(0, n - 3), [ahead, result]);
  if (n === 1) return { phases: [round(1, [])], steady: round(1, []) };
  // The first round's result is the rank's own; the last one's is sent when all is computed.
  const middle = n === 2 ? [round(1, [])] : [round(1, [ahead]), steady, round(1, [result])];
  return { phases: [round(1, [ahead]), ...middle, alone(result.bytes, home)], steady };
}

/** A pass whose one round stands for all it computes and sends. */
function steadyOf({ phases }: Pass): Pass {
  const attention = phases.reduce((sum, phase) => sum + phase.rounds * phase.attention, 0);
  const transfers = phases.flatMap(({ rounds, transfers: sent }) =>
    sent.map((transfer) => ({ ...transfer, bytes: rounds * transfer.bytes })),
  );
  return { phases, steady: { rounds: 1, attention, projections: 0, transfers } };
}

const ATTENTION: Readonly<
  Record<ScheduleName, (w: Workload, direction: Direction, options: Options) => Pass>
> = {
  'lv-xattn': lvXattn,
  'ring-attention': ringAttention,
  ulysses,
  'head-parallel': headParallel,
  'all-gather-kv': allGatherKv,
  'pass-q': passQ,
  usp,
  'token-ring': tokenRing,
};

/**
 * A layer's passes. The projections stand in front: backward those of gradients to inputs and to
 * weights, and under LV-XAttn Q, K and V once more, which it recomputes (all but the output's).
 */
export function layerCost(name: ScheduleName, w: Workload, options: Options): LayerCost {
  const { text, keys } = projections(w);
  const [forward, backward] = DIRECTIONS.map((direction) => {
    const again = name === 'lv-xattn' && options.recomputes ? text / 2 + keys : 0;
    const flops = direction === 'forward' ? text + keys : 2 * (text + keys) + again;
    const attention = ATTENTION[name](w, direction, options);
    const pass = options.overlap ? attention : withoutOverlap(attention);
    return around([projecting(flops)], pass, []);
  }) as [Pass, Pass];
  return { forward, backward };
}

/** Why a schedule cannot be used; null where it can. */
export function refusal(name: ScheduleName, { ranks, heads }: Workload): string | null {
  if (name !== 'ulysses' && name !== 'head-parallel') return null;
  if (heads % ranks === 0) return null;
  return `${name} deals whole heads: ${heads} heads over ${ranks} ranks do not come out even`;
}
