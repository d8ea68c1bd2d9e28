/**
 * The gradients through recomputed K and V, a part of the keys at a time: dY, dW_K and dW_V from dK and dV.
 * spec (25), (26)
 * @module
 */

import { type CaseParameters, FEATURE_GRADIENTS } from '../../case/case.ts';
import { nth } from '../../numbers/nth.ts';
import type { Tensor } from '../../numbers/tensor.ts';
import { featureModule } from '../module.ts';
import type { KernelProblem } from '../walk/problem.ts';
import type { Room } from '../walk/room.ts';
import { type BackwardTask, newSums, type Sums, sumsWithin } from './backward-work.ts';
import {
  depthsOf,
  eachBlock,
  eachHeldPart,
  type FeatureBlock,
  type KeyPart,
} from './feature-parts.ts';
import { inputOf, weights } from './features.ts';
import {
  addTerms,
  DEPTH,
  type Matrix,
  type PartialProduct,
  partialProduct,
  transposed,
  wholeProduct,
} from './matrix.ts';
import { U } from './radius.ts';

type FeatureGradientName = (typeof FEATURE_GRADIENTS)[number];

/** dY [B, keys, dim_y], dW_K [dim_y, Hkv·d] and dW_V [dim_y, Hkv·dv], flat; null = not wanted. */
export type FeatureGradients<T = Sums> = Readonly<Record<FeatureGradientName, T | null>>;

/** What dK and dV of a part of the keys make of dY, and add to dW. A unit is a slab. */
export interface FeaturesTask extends FeatureGradients, KeyPart {
  readonly kind: 'features';
  /** dK [B, Hkv, keys, d] and dV [B, Hkv, keys, dv]. */
  readonly dK: Sums;
  readonly dV: Sums;
  /** DEPTHs that the keys of all parts are summed in for dW. */
  readonly chunks: number;
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
  /** dW, and how it is summed. */
  readonly dW: PartialProduct | null;
  /** For what is under way, and for the sum, which stays while the other side is at work. */
  readonly room: Room;
  readonly own: Room;
}

/** What a block of dK makes of its slab of dY, and adds to dW. */
function throughSide(
  { w, width, gradient, dW, room, own }: Side,
  { first, columns, rows, turned, byKey }: FeatureBlock,
  heads: number,
): Sums {
  const kernels = featureModule();
  const across = heads * width;
  const block: Matrix = {
    rows,
    columns: across,
    value: byKey(gradient.value, width, room('rows', rows * across)),
    error: byKey(gradient.error, width, room('row errors', rows * across)),
  };
  if (dW !== null) {
    const sums = sumsWithin(dW.sums, first * across, columns * across);
    addTerms(kernels, { ...dW, sums }, turned, block, room);
  }
  const share = partialProduct(rows * columns, across, Math.ceil(across / DEPTH), own);
  for (let l = 0; l < across; l += DEPTH) {
    const depth = Math.min(DEPTH, across - l);
    const b = transposed(weights(w, [first, columns], [l, depth], room), room);
    addTerms(kernels, share, columnsOf(block, l, depth, room), b, room);
  }
  return wholeProduct(share);
}

/** Unit `n` of a features task. */
export function addFeatures(
  problem: Pick<KernelProblem, 'parameters' | 'inputs' | 'room'>,
  task: FeaturesTask,
  n: number,
): void {
  const { parameters: p, room } = problem;
  const { d_y, chunks } = task;
  const terms = p.batch * task.keyCount;
  const ownRoom =
    (side: string): Room =>
    (name, length) =>
      room(`${side} ${name}`, length);
  const productOf = (sums: Sums | null) => (sums === null ? null : { sums, terms, chunks });
  const k: Side = {
    ...{ w: inputOf(problem, 'w_k'), width: p.head_dim, gradient: task.dK },
    ...{ dW: productOf(task.d_w_k), room, own: ownRoom('k') },
  };
  const v: Side = {
    ...{ w: inputOf(problem, 'w_v'), width: p.head_dim_v, gradient: task.dV },
    ...{ dW: productOf(task.d_w_v), room, own: ownRoom('v') },
  };
  eachBlock(problem, task, n, (block) => {
    const fromK = throughSide(k, block, p.kv_heads);
    const fromV = throughSide(v, block, p.kv_heads);
    if (d_y === null) return;
    for (let r = 0; r < block.rows; r++) {
      const place = block.place(r);
      for (let c = 0; c < block.columns; c++) {
        const from = r * block.columns + c;
        const sum = nth(fromK.value, from) + nth(fromV.value, from);
        const error = nth(fromK.error, from) + nth(fromV.error, from) + Math.abs(sum) * U;
        d_y.value[place + c] = sum;
        d_y.error[place + c] = error;
      }
    }
  });
}

/** The gradients of the features that the case wants and so many of its keys have: dW is a sum over all keys. */
export const featureGradientsOf = (p: CaseParameters, keyCount: number): FeatureGradientName[] =>
  FEATURE_GRADIENTS.filter(
    (name) => p.wants.includes(name) && (name === 'd_y' || keyCount === p.seq_kv),
  );

/** Room for them. */
export function newFeatureGradients<T>(
  p: CaseParameters,
  keyCount: number,
  make: (length: number) => T,
): FeatureGradients<T> {
  const { batch, dim_y = 0 } = p;
  const names = featureGradientsOf(p, keyCount);
  const wanted = (name: FeatureGradientName, length: number) =>
    names.includes(name) ? make(length) : null;
  return {
    d_y: wanted('d_y', batch * keyCount * dim_y),
    d_w_k: wanted('d_w_k', dim_y * p.kv_heads * p.head_dim),
    d_w_v: wanted('d_w_v', dim_y * p.kv_heads * p.head_dim_v),
  };
}

/**
 * The backward pass of all rows and the task's keys, dK and dV of one part of the keys after another, which go on to
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
  const sums = (length: number) => newSums(length, run.allocate);
  const found = newFeatureGradients(p, task.keys.length, sums);
  const chunks = depthsOf(p, task.keys, sums);
  eachHeldPart(p, sums, task, (part, dK, dV) => {
    run.perform({ ...task, keys: part.keys, dK, dV, final: false });
    run.perform({ kind: 'features', ...found, ...part, dK, dV, chunks });
  });
  for (const dW of [found.d_w_k, found.d_w_v]) {
    if (dW !== null) wholeProduct({ sums: dW, terms: p.batch * task.keys.length, chunks });
  }
  return found;
}
