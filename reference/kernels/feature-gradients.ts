/**
 * The gradients through recomputed K and V, a part of the keys at a time: dY, dW_K and dW_V from dK and dV.
 * spec (25), (26)
 * @module
 */
import type { CaseParameters } from '../case.ts';
import type { Tensor } from '../tensor.ts';
import { newSums, RANGE, type Sums, sumsWithin } from './backward.ts';
import { featureReader, inputOf, weights } from './features.ts';
import {
  addTerms,
  DEPTH,
  type Matrix,
  partialProduct,
  transposed,
  wholeProduct,
} from './matrix.ts';
import { featureModule } from './module.ts';
import type { KernelProblem } from './problem.ts';
import { U } from './radius.ts';
import type { Room } from './room.ts';
import type { BackwardTask } from './task.ts';

/** Columns of Y and of dY that are worked on at a time: those of a unit of the task. */
const SLAB = 512;

/** dY [B, Skv, dim_y], dW_K [dim_y, Hkv·d] and dW_V [dim_y, Hkv·dv], flat; null = not wanted. */
export type FeatureGradients = Readonly<Record<'d_y' | 'd_w_k' | 'd_w_v', Sums | null>>;

/** What dK and dV of a part of the keys make of dY, and add to dW. */
export interface FeaturesTask extends FeatureGradients {
  readonly kind: 'features';
  /** The keys from `first` on. */
  readonly first: number;
  readonly count: number;
  /** dK [B, Hkv, count, d] and dV [B, Hkv, count, dv]. */
  readonly dK: Sums;
  readonly dV: Sums;
  /** DEPTHs that the keys of all parts are summed in for dW. */
  readonly chunks: number;
}

export const featureUnits = ({ dim_y = 0 }: CaseParameters): number => Math.ceil(dim_y / SLAB);

/** Some rows of dK or dV of all heads, [keys, Hkv·width], from row `first` of [B·N] on. */
function gradientRows(
  { value, error }: Sums,
  [heads, n, width]: readonly [number, number, number],
  first: number,
  rows: number,
  room: Room,
): Matrix {
  const columns = heads * width;
  const turn = (from: Float64Array, to: Float64Array): Float64Array => {
    for (let r = 0; r < rows; r++) {
      const [b, j] = [Math.floor((first + r) / n), (first + r) % n];
      for (let h = 0; h < heads; h++) {
        const source = ((b * heads + h) * n + j) * width;
        to.set(from.subarray(source, source + width), r * columns + h * width);
      }
    }
    return to;
  };
  const [values, errors] = [room('rows', rows * columns), room('row errors', rows * columns)];
  return { rows, columns, value: turn(value, values), error: turn(error, errors) };
}

/** Some columns of a matrix. */
function columnsOf(m: Matrix, first: number, columns: number, room: Room): Matrix {
  if (columns === m.columns) return m;
  const pick = (from: Float64Array, name: string): Float64Array => {
    const to = room(name, m.rows * columns);
    for (let r = 0; r < m.rows; r++) {
      const at = r * m.columns + first;
      to.set(from.subarray(at, at + columns), r * columns);
    }
    return to;
  };
  return {
    rows: m.rows,
    columns,
    value: pick(m.value, 'columns'),
    error: m.error === null ? null : pick(m.error, 'column errors'),
  };
}

/** Either side of the task, K's or V's. */
interface Side {
  readonly w: Tensor;
  readonly width: number;
  readonly gradient: Sums;
  readonly dW: Sums | null;
  readonly room: Room;
}

/** Some rows of a side's gradient, the features of their keys turned, and the columns of Y at work. */
interface Work {
  readonly rows: Matrix;
  readonly turned: Matrix;
  readonly slab: readonly [first: number, columns: number];
}

/** Adds the slab of Yᵀ dK to dW. spec (26) */
function addWeights(
  { dW, room }: Side,
  { rows, turned, slab: [first, columns] }: Work,
  [terms, chunks]: readonly [number, number],
): void {
  if (dW === null) return;
  const sums = sumsWithin(dW, first * rows.columns, columns * rows.columns);
  addTerms(featureModule(), { sums, terms, chunks }, turned, rows, room);
}

/** The slab of dK Wᵀ. spec (25) */
function throughWeights({ w, room }: Side, { rows, slab: [first, columns] }: Work): Sums {
  const across = rows.columns;
  const share = partialProduct(rows.rows * columns, across, Math.ceil(across / DEPTH), room);
  for (let l = 0; l < across; l += DEPTH) {
    const depth = Math.min(DEPTH, across - l);
    const b = transposed(weights(w, [first, columns], [l, depth], room), room);
    addTerms(featureModule(), share, columnsOf(rows, l, depth, room), b, room);
  }
  return wholeProduct(share);
}

/** Unit `n` of a features task: a slab of Y, DEPTH keys at a time. */
export function addFeatures(
  { parameters: p, inputs, room }: Pick<KernelProblem, 'parameters' | 'inputs' | 'room'>,
  task: FeaturesTask,
  n: number,
): void {
  const { batch, kv_heads: heads, seq_kv, dim_y = 0 } = p;
  const { first, count, chunks, d_y } = task;
  const slab = [n * SLAB, Math.min(SLAB, dim_y - n * SLAB)] as const;
  const features = featureReader(inputOf({ inputs }, 'y'), ...slab);
  const roomOf =
    (side: string): Room =>
    (name, length) =>
      room(`${side} ${name}`, length);
  const [k, v]: [Side, Side] = [
    {
      w: inputOf({ inputs }, 'w_k'),
      width: p.head_dim,
      gradient: task.dK,
      dW: task.d_w_k,
      room: roomOf('k'),
    },
    {
      w: inputOf({ inputs }, 'w_v'),
      width: p.head_dim_v,
      gradient: task.dV,
      dW: task.d_w_v,
      room: roomOf('v'),
    },
  ];
  for (let row = 0; row < batch * count; row += DEPTH) {
    const rows = Math.min(DEPTH, batch * count - row);
    const keyOf = (r: number) =>
      [Math.floor((row + r) / count), first + ((row + r) % count)] as const;
    const columns = slab[1];
    const value = room('features', rows * columns);
    for (let r = 0; r < rows; r++) {
      const [b, j] = keyOf(r);
      features.row(b, 0, j, value, r * columns);
    }
    const turned = transposed({ rows, columns, value, error: null }, room);
    const workOf = ({ gradient, width, room: own }: Side): Work => ({
      rows: gradientRows(gradient, [heads, count, width], row, rows, own),
      turned,
      slab,
    });
    const [ofK, ofV] = [workOf(k), workOf(v)];
    addWeights(k, ofK, [batch * seq_kv, chunks]);
    addWeights(v, ofV, [batch * seq_kv, chunks]);
    if (d_y === null) continue;
    const [fromK, fromV] = [throughWeights(k, ofK), throughWeights(v, ofV)];
    for (let r = 0; r < rows; r++) {
      const [b, j] = keyOf(r);
      for (let c = 0; c < columns; c++) {
        const [from, to] = [r * columns + c, (b * seq_kv + j) * dim_y + slab[0] + c];
        const sum = (fromK.value[from] ?? 0) + (fromV.value[from] ?? 0);
        d_y.value[to] = sum;
        d_y.error[to] = (fromK.error[from] ?? 0) + (fromV.error[from] ?? 0) + Math.abs(sum) * U;
      }
    }
  }
}

/** Bytes of dK and dV with their errors that are held at a time. */
const HELD = 2 ** 24;

/** As many keys as that is enough for, a multiple of RANGE. */
function keysAtATime({ batch, kv_heads, head_dim, head_dim_v, seq_kv }: CaseParameters): number {
  const bytes = 16 * batch * kv_heads * (head_dim + head_dim_v);
  return Math.min(seq_kv, Math.max(1, Math.floor(HELD / bytes / RANGE)) * RANGE);
}

/** Copies [heads, count, width] to keys `first` on of [heads, n, width]. */
function place(from: Sums, to: Sums, count: number, first: number, n: number, width: number) {
  const size = count * width;
  for (let head = 0; head * size < from.value.length; head++) {
    for (const word of ['value', 'error'] as const) {
      const rows = from[word].subarray(head * size, (head + 1) * size);
      to[word].set(rows, (head * n + first) * width);
    }
  }
}

/**
 * The backward pass of all rows and keys, dK and dV of one part of the keys after another, which go on to
 * the features; and into the task's dK and dV where it wants them. A part is a multiple of RANGE, so that
 * no bit of dQ, dK or dV depends on it.
 */
export function throughFeatures(
  p: CaseParameters,
  run: {
    readonly perform: (task: BackwardTask | FeaturesTask) => void;
    readonly allocate: (length: number) => Float64Array;
  },
  task: BackwardTask,
): FeatureGradients {
  const { batch, seq_kv, dim_y = 0 } = p;
  const heads = batch * p.kv_heads;
  const part = keysAtATime(p);
  const sums = (length: number) => newSums(length, run.allocate);
  const wanted = (name: keyof FeatureGradients, length: number) =>
    p.wants.includes(name) ? sums(length) : null;
  const found: FeatureGradients = {
    d_y: wanted('d_y', batch * seq_kv * dim_y),
    d_w_k: wanted('d_w_k', dim_y * p.kv_heads * p.head_dim),
    d_w_v: wanted('d_w_v', dim_y * p.kv_heads * p.head_dim_v),
  };
  const depths = (keys: number) => Math.ceil((batch * keys) / DEPTH);
  const chunks = Math.floor(seq_kv / part) * depths(part) + depths(seq_kv % part);
  const [heldK, heldV] = [sums(heads * part * p.head_dim), sums(heads * part * p.head_dim_v)];
  for (let first = 0; first < seq_kv; first += part) {
    const count = Math.min(part, seq_kv - first);
    const dK = sumsWithin(heldK, 0, heads * count * p.head_dim);
    const dV = sumsWithin(heldV, 0, heads * count * p.head_dim_v);
    const keys = task.keys.slice(first, first + count);
    run.perform({ ...task, keys, dK, dV, final: false });
    run.perform({ kind: 'features', ...found, first, count, dK, dV, chunks });
    if (task.dK !== null) place(dK, task.dK, count, first, seq_kv, p.head_dim);
    if (task.dV !== null) place(dV, task.dV, count, first, seq_kv, p.head_dim_v);
  }
  for (const dW of [found.d_w_k, found.d_w_v]) {
    if (dW !== null) wholeProduct({ sums: dW, terms: batch * seq_kv, chunks });
  }
  return found;
}
