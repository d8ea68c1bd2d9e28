/**
 * A schedule as the clock's steps: what each operation takes, sends and holds.
 *
 * Sizes are those of wire.ts and labels.ts, which a run uses too; operations are counted by flops.ts,
 * as in the formulas.
 * @module
 */
import { blockPairFlops, projectionFlops } from '../costs/flops.ts';
import type { Machine } from '../costs/machine.ts';
import type { Sizes } from '../costs/messages.ts';
import { type Labels, walk } from '../labels.ts';
import { spanName } from '../perfetto.ts';
import type { BufferName, Direction, Operation, Schedule } from '../schedule.ts';
import { type Extents, elementsOf, type Label, lengthOf, type PartName, partsOf } from '../wire.ts';
import type { Step } from './clock.ts';

/** Sizes of a case, and the width of the features where keys are recomputed. */
export type SimulatedCase = Extents & { readonly dim_y?: number };

export type Rates = Pick<Machine, 'attention_flops_per_s' | 'projection_flops_per_s'>;

const SCALARS: ReadonlySet<PartName> = new Set<PartName>(['lse', 'delta']);

/** Bytes of a buffer or a message. */
export function labelBytes(
  e: Extents,
  label: Label,
  { element_bytes, scalar_bytes }: Sizes,
): number {
  return partsOf(e, label).reduce(
    (sum, part) => sum + elementsOf(part) * (SCALARS.has(part.name) ? scalar_bytes : element_bytes),
    0,
  );
}

/** Floating-point operations of an operation: of attention, and of projections. */
function flopsOf(
  c: SimulatedCase,
  rank: number,
  direction: Direction,
  operation: Operation,
  labels: Labels,
): { readonly attention: number; readonly projections: number } {
  const { batch, partition, head_dim, head_dim_v, kv_heads, dim_y = 0 } = c;
  if (operation.op === 'computeBlock') {
    const [query, keys] = [labels.get(operation.query), labels.get(operation.keys)];
    const pair = {
      rows: batch * lengthOf(partition.q, query?.blocks ?? []),
      keys: lengthOf(partition.kv, keys?.blocks ?? []),
      heads: query === undefined ? 0 : query.heads.to - query.heads.from,
    };
    const attention = blockPairFlops({ ...pair, head_dim, head_dim_v }, direction);
    return { attention, projections: 0 };
  }
  const rows = batch * (partition.kv[rank] ?? 0);
  const once = projectionFlops(rows, dim_y, kv_heads * (head_dim + head_dim_v));
  const times = { recomputeKV: 1, projectGradients: 2 } as Partial<Record<Operation['op'], number>>;
  return { attention: 0, projections: once * (times[operation.op] ?? 0) };
}

/** What an operation wrote, or let go. */
function changedBy(operation: Operation): BufferName[] {
  if (operation.op === 'receive' || operation.op === 'release') return [operation.buffer];
  if (operation.op === 'computeBlock' && operation.sums !== null) {
    return [operation.into, operation.sums];
  }
  return 'into' in operation ? [operation.into] : [];
}

/** Every rank's steps in a pass. Throws Error for a schedule that does not end. */
export function stepsOf(
  c: SimulatedCase,
  schedule: Schedule,
  rates: Rates,
  sizes: Sizes,
): Step[][] {
  const programs = schedule.ranks.map((): Step[] => []);
  const held = schedule.ranks.map(() => new Map<BufferName, number>());
  walk(c, schedule, (rank, _, operation, labels, sent) => {
    const [steps, own] = [programs[rank], held[rank]];
    if (steps === undefined || own === undefined) return;
    const label = spanName({ operation });
    const { attention, projections } = flopsOf(c, rank, schedule.direction, operation, labels);
    const seconds =
      attention / rates.attention_flops_per_s + projections / rates.projection_flops_per_s;
    if (operation.op === 'send' && sent !== null) {
      const channel = `${rank}/${operation.to}/${operation.lane}`;
      steps.push({
        op: 'send',
        channel,
        to: operation.to,
        bytes: labelBytes(c, sent, sizes),
        label,
      });
    }
    if (operation.op === 'receive') {
      const channel = `${operation.from}/${rank}/${operation.lane}`;
      steps.push({ op: 'receive', channel, from: operation.from, label });
    }
    if (seconds > 0) steps.push({ op: 'compute', seconds, label });
    for (const name of changedBy(operation)) {
      const now = labels.get(name);
      const bytes = now === undefined ? 0 : labelBytes(c, now, sizes);
      const more = bytes - (own.get(name) ?? 0);
      own.set(name, bytes);
      if (more !== 0) steps.push({ op: 'hold', bytes: more });
    }
  });
  return programs;
}
