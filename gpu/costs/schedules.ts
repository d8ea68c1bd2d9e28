/**
 * What each schedule does in a layer, forward and backward, as phases; and when it cannot be used.
 *
 * As our schedules run (stages.ts), and Ulysses and Megatron's heads also as the LV-XAttn paper
 * counts them. Blocks are equal and may be fractions of a row.
 * @module
 */
import type { Direction, HeadRange, Kind } from '../schedule.ts';
import { uspGroup } from '../schedules/groups.ts';
import { DEALS_HEADS, type ScheduleName } from '../schedules/index.ts';
import { isBoundToRows } from '../wire.ts';
import { blockPairFlops, projectionFlops } from './flops.ts';
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
  steadyOf,
  straightPass,
  withoutOverlap,
} from './phases.ts';
import { type Messages, messagesOf, type Stage, stagesOf } from './stages.ts';
import { extentsOf, type Options, type Workload, widthOf } from './workload.ts';

export { SCHEDULE_NAMES, type ScheduleName } from '../schedules/index.ts';

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

/** What is the same in every stage of a pass of equal blocks. */
interface Equal {
  readonly w: Workload;
  readonly group: number;
  readonly messages: Messages;
  /** Operations of a block pair, all heads. */
  readonly attention: number;
  readonly summed: boolean;
}

/** Bytes of a rank's block: of these heads. */
const blockOf = ({ messages }: Equal, what: Kind, heads: HeadRange): number =>
  messages.bytes(what, [0], heads);

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/**
 * Bytes of a rank's block by the member that they are dealt to. Members need more KV heads or fewer
 * where those do not come out even, and so many members on the same again: these stand for all.
 */
function dealtBytes({ w, messages, group }: Equal, what: Kind): number[] {
  const period = isBoundToRows(what) ? 1 : group / gcd(group, w.kv_heads);
  return Array.from({ length: period }, (_, member) =>
    messages.bytes(what, [0], messages.of(what, member, group)),
  );
}

const dealtMost = (equal: Equal, what: Kind): number => Math.max(...dealtBytes(equal, what));

/** Alone, to each of `others` ranks in a row. */
const toAll = (bytes: number, group: number): Phase => alone(bytes, { to: 'all', group });

/** All-to-all of the own block in a group: of whoever keeps least, and so sends most. */
function exchange(equal: Equal, what: Kind): Phase {
  const parts = dealtBytes(equal, what);
  const total = (equal.group / parts.length) * parts.reduce((sum, bytes) => sum + bytes, 0);
  return toAll(total - Math.min(...parts), equal.group);
}

function ringOf(equal: Equal, stage: Extract<Stage, { readonly does: 'ring' }>): Pass {
  const { w, group, summed } = equal;
  const [n, attention] = [w.ranks / group, group * equal.attention];
  const blocks = (what: Kind | null): number =>
    what === null ? 0 : group * dealtMost(equal, what);
  const [ahead, straight] = [blocks(stage.ahead), blocks(stage.straight)];
  if (stage.straight !== null) return straightPass(n, { attention, ahead, straight });
  const route: Route = { to: 'next', stride: group };
  return ringPass(n, { attention, ahead, behind: blocks(stage.behind), route, summed });
}

/** A stage that sends and does not compute; null for one that does. */
function sending(equal: Equal, stage: Stage, dealt: boolean): Phase | null {
  const { w, group, messages } = equal;
  switch (stage.does) {
    case 'gather':
      return alone(blockOf(equal, stage.what, messages.all(stage.what)), NEXT, w.ranks - 1);
    case 'exchange':
      return exchange(equal, stage.what);
    case 'scatter': {
      const among = dealt ? group : w.ranks;
      const { what, padded } = stage;
      const bytes = padded ? blockOf(equal, what, messages.all(what)) : dealtMost(equal, what);
      return toAll((among - 1) * bytes, among);
    }
    default:
      return null;
  }
}

/** As our schedules run. */
function asRun(name: ScheduleName, w: Workload, direction: Direction, options: Options): Pass {
  const { group, dealt, list } = stagesOf(name, direction, { ranks: w.ranks, group: uspGroup(w) });
  const messages = messagesOf(name, direction, extentsOf(w), w, options);
  const attention = pairFlops(w, direction);
  // dK and dV, or dQ, travel as sums.
  const summed = direction === 'backward' || name === 'ring-attention';
  const equal: Equal = { w, group, messages, attention, summed };
  const at = list.findIndex(({ does }) => does === 'compute' || does === 'ring');
  const phases = (stages: readonly Stage[]): Phase[] =>
    stages.flatMap((stage) => sending(equal, stage, dealt) ?? []);
  const middle = list[at];
  const [before, after] = [phases(list.slice(0, at)), phases(list.slice(at + 1))];
  if (middle?.does === 'ring' && w.ranks > group)
    return around(before, ringOf(equal, middle), after);
  return steadyOf(around(before, plainPass(w.ranks * attention), after));
}

/** Q, K and V to heads, O back to rows; backward dO to heads, dQ, dK and dV back. */
function ulyssesCounted(w: Workload, direction: Direction): Pass {
  const e = widthOf(w) * w.element_bytes;
  const [queries, keys] = [(w.seq_q / w.ranks) * e, (w.seq_kv / w.ranks) * e];
  const swap = (held: number): Phase => toAll((held * (w.ranks - 1)) / w.ranks, w.ranks);
  const [rows, all] = [swap(queries), swap(queries + 2 * keys)];
  const pass = plainPass(w.ranks * pairFlops(w, direction));
  return steadyOf(
    direction === 'forward' ? around([all], pass, [rows]) : around([rows], pass, [all]),
  );
}

/** x and y gathered, the output scattered, in steps round a ring; backward the other way round. */
function headParallelCounted(w: Workload, direction: Direction): Pass {
  const text = ((w.seq_q * w.hidden) / w.ranks) * w.element_bytes;
  const features = ((w.seq_kv * w.visual_dim) / w.ranks) * w.element_bytes;
  const collective = (block: number): Phase => alone(block, NEXT, w.ranks - 1);
  const [rows, all] = [collective(text), collective(text + features)];
  const pass = plainPass(w.ranks * pairFlops(w, direction));
  return steadyOf(
    direction === 'forward' ? around([all], pass, [rows]) : around([rows], pass, [all]),
  );
}

/** As the paper counts them, where that is not what is run. */
const COUNTED: Readonly<
  Partial<Record<ScheduleName, (w: Workload, direction: Direction) => Pass>>
> = { ulysses: ulyssesCounted, 'head-parallel': headParallelCounted };

/**
 * A layer's passes. The projections stand in front: backward those of gradients to inputs and to
 * weights, and under LV-XAttn Q, K and V once more, which it recomputes (all but the output's).
 * Throws a RangeError where the schedule cannot be used.
 */
export function layerCost(name: ScheduleName, w: Workload, options: Options): LayerCost {
  const counted = options.paperCounts ? COUNTED[name] : undefined;
  const unusable = counted === undefined ? refusal(name, w) : null;
  if (unusable !== null) throw new RangeError(unusable);
  const { text, keys } = projections(w);
  const [forward, backward] = DIRECTIONS.map((direction) => {
    const again = name === 'lv-xattn' && options.recomputes ? text / 2 + keys : 0;
    const flops = direction === 'forward' ? text + keys : 2 * (text + keys) + again;
    const attention = counted?.(w, direction) ?? asRun(name, w, direction, options);
    const pass = options.overlap ? attention : withoutOverlap(attention);
    return around([projecting(flops)], pass, []);
  }) as [Pass, Pass];
  return { forward, backward };
}

/** Why a schedule cannot be used; null where it can. */
export function refusal(name: ScheduleName, { ranks, heads }: Workload): string | null {
  if (!DEALS_HEADS.includes(name) || heads % ranks === 0) return null;
  return `${name} deals whole heads: ${heads} heads over ${ranks} ranks do not come out even`;
}
