/**
 * A schedule as the clock's steps: what each operation takes, sends and holds.
 *
 * Sizes are those of wire.ts and labels.ts, which a run uses too; operations are counted by flops.ts,
 * as in the formulas.
 * @module
 */
import { blockPairFlops, projectionFlops } from '../costs/flops.ts';
import { computeSeconds, type Rates } from '../costs/machine.ts';
import { changedBy, type Labels, type Visit, walk } from '../labels.ts';
import type { Direction, Operation, Schedule } from '../schedule.ts';
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

/** What a label of one block holds: of every head, and for all heads together. */
interface BlockBytes {
  readonly perHead: number;
  readonly once: number;
}

/**
 * Bytes of a buffer or a message. A thousand ranks have millions of labels, of single blocks most of
 * them, and of so many heads: their size is asked for once a block and kind.
 */
function labelSizes(c: SimulatedCase, sizes: ElementSizes): (label: Label | undefined) => number {
  const kinds = new Map<string, BlockBytes[]>();
  const ofMany = remembered((label) => labelBytes(c, label, sizes));
  const measured = (label: Label): BlockBytes => {
    const of = (count: number): number => {
      return labelBytes(c, { ...label, heads: { from: 0, to: count, of: count } }, sizes);
    };
    const once = of(0);
    return { once, perHead: of(1) - once };
  };
  return (label) => {
    if (label === undefined) return 0;
    const { blocks, kind, sends, heads } = label;
    const [block] = blocks;
    if (block === undefined || blocks.length > 1) return ofMany(label);
    const key = sends === undefined ? kind : `${kind} ${sends}`;
    const known = kinds.get(key) ?? [];
    if (known.length === 0) kinds.set(key, known);
    const bytes = known[block] ?? measured(label);
    known[block] = bytes;
    return bytes.once + (heads.to - heads.from) * bytes.perHead;
  };
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
  const bytesOf = labelSizes(c, sizes);
  const attentionOf = attentionFlops(c, direction);
  const compute = (rank: number, operation: Operation, labels: Labels, source: number): void => {
    const computes = operation.op === 'computeBlock';
    const attention = computes
      ? attentionOf(labels.get(operation.query), labels.get(operation.keys))
      : 0;
    const projections = projectionsOf(c, rank, operation);
    const seconds = computeSeconds(rates, { attention, projections });
    if (seconds > 0) programs.compute(rank, seconds, source);
  };
  const visit: Visit = (rank, source, operation, labels, sent, before) => {
    if (operation.op === 'send' && sent !== null) {
      programs.send(rank, operation.lane, operation.to, bytesOf(sent), source);
    } else if (operation.op === 'receive') {
      programs.receive(rank, operation.lane, operation.from, source);
    } else if (operation.op === 'computeBlock' || PRODUCTS[operation.op] !== undefined) {
      compute(rank, operation, labels, source);
    }
    const changed = changedBy(operation);
    const more = changed === null ? 0 : bytesOf(labels.get(changed)) - bytesOf(before);
    if (more !== 0) programs.hold(rank, more, source);
  };
  walk(c, schedule, visit, sizedLabels(c));
  return programs;
}
