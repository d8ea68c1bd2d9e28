/**
 * A schedule as the clock's steps: what each operation takes, sends and holds.
 *
 * Sizes are those of wire.ts and labels.ts, which a run uses too; operations are counted by flops.ts,
 * as in the formulas.
 * @module
 */
import { blockPairFlops, projectionFlops } from '../costs/flops.ts';
import { computeSeconds, type Rates } from '../costs/machine.ts';
import { type Labels, type Visit, walk } from '../labels.ts';
import type { BufferName, Direction, Operation, Schedule } from '../schedule.ts';
import { sizedLabels } from '../sized-labels.ts';
import { nameAt } from '../span-names.ts';
import { type ElementSizes, type Extents, type Label, labelBytes, lengthOf } from '../wire.ts';
import { Programs } from './program.ts';

/** Sizes of a case, and the width of the features where keys are recomputed. */
export type SimulatedCase = Extents & { readonly dim_y?: number };

/** A function of a label that is asked once for each. */
function remembered(of: (label: Label) => number): (label: Label | undefined) => number {
  const known = new Map<Label, number>();
  return (label) => {
    if (label === undefined) return 0;
    let value = known.get(label);
    if (value === undefined) {
      value = of(label);
      known.set(label, value);
    }
    return value;
  };
}

/** Floating-point operations of a computation, by the labels that it finds. */
function attentionFlops(c: SimulatedCase, direction: Direction) {
  const { batch, partition, head_dim, head_dim_v } = c;
  const rowsOf = remembered(({ blocks }) => batch * lengthOf(partition.q, blocks));
  const keysOf = remembered(({ blocks }) => lengthOf(partition.kv, blocks));
  return (query: Label | undefined, keys: Label | undefined): number => {
    const heads = query === undefined ? 0 : query.heads.to - query.heads.from;
    const [rows, columns] = [rowsOf(query), keysOf(keys)];
    return blockPairFlops({ rows, keys: columns, heads, head_dim, head_dim_v }, direction);
  };
}

/** Products of a rank's own features with a weight: to K and V, or back to dY and to dW. */
const PRODUCTS: Partial<Record<Operation['op'], number>> = { recomputeKV: 1, projectGradients: 2 };

function projectionsOf(c: SimulatedCase, rank: number, { op }: Operation): number {
  const products = PRODUCTS[op];
  if (products === undefined) return 0;
  const { batch, partition, head_dim, head_dim_v, kv_heads, dim_y = 0 } = c;
  const rows = batch * (partition.kv[rank] ?? 0);
  return products * projectionFlops(rows, dim_y, kv_heads * (head_dim + head_dim_v));
}

/** What a buffer of a rank holds more, or fewer, after an operation that wrote it or let it go. */
function holder(bytesOf: (label: Label | undefined) => number) {
  const held = new Map<BufferName, number>();
  return (name: BufferName, labels: Labels): number => {
    const bytes = bytesOf(labels.get(name));
    const more = bytes - (held.get(name) ?? 0);
    if (more !== 0) held.set(name, bytes);
    return more;
  };
}

/** The buffer whose size an operation may change: merging and adding up leave it as it was. */
function changedBy(operation: Operation): BufferName | null {
  if (operation.op === 'merge') return null;
  if (operation.op === 'receive' || operation.op === 'release') return operation.buffer;
  return 'into' in operation ? operation.into : null;
}

/** Every rank's steps in a pass. Throws Error for a schedule that does not end. */
export function stepsOf(
  c: SimulatedCase,
  schedule: Schedule,
  rates: Rates,
  sizes: ElementSizes,
): Programs {
  const { ranks, direction } = schedule;
  const lengths = ranks.map(({ length }) => length);
  const programs = new Programs(lengths, (rank, source) => nameAt(ranks[rank] ?? [], rank, source));
  const bytesOf = remembered((label) => labelBytes(c, label, sizes));
  const more = ranks.map(() => holder(bytesOf));
  const attentionOf = attentionFlops(c, direction);
  const hold = (rank: number, name: BufferName | null, labels: Labels, source: number): void => {
    const bytes = name === null ? 0 : (more[rank]?.(name, labels) ?? 0);
    if (bytes !== 0) programs.hold(rank, bytes, source);
  };
  const compute = (rank: number, operation: Operation, labels: Labels, source: number): void => {
    const computes = operation.op === 'computeBlock';
    const attention = computes
      ? attentionOf(labels.get(operation.query), labels.get(operation.keys))
      : 0;
    const projections = projectionsOf(c, rank, operation);
    const seconds = computeSeconds(rates, { attention, projections });
    if (seconds > 0) programs.compute(rank, seconds, source);
  };
  const visit: Visit = (rank, source, operation, labels, sent) => {
    if (operation.op === 'send' && sent !== null) {
      programs.send(rank, operation.lane, operation.to, bytesOf(sent), source);
    } else if (operation.op === 'receive') {
      programs.receive(rank, operation.lane, operation.from, source);
    } else {
      compute(rank, operation, labels, source);
    }
    hold(rank, changedBy(operation), labels, source);
  };
  walk(c, schedule, visit, sizedLabels(c));
  return programs;
}
