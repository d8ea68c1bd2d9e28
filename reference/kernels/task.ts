/**
 * Tasks: the work of a pass as independent units, for one thread or many.
 *
 * A unit writes where no other does and computes the same bits wherever and whenever it runs.
 * Everything in a task is plain data over (shared) float64 arrays, so that it can be sent to a thread.
 * @module
 */
import type { AttentionCase, CaseParameters, InputName } from '../case.ts';
import type { FileRange } from '../stored-file.ts';
import { type RangedStorage, rangedTensor, tensorOf } from '../tensor.ts';
import { backwardRange, type Deltas, RANGE, type ScoreListener, type Sums } from './backward.ts';
import { forwardRows, ROW_BLOCK, type RowResults } from './forward.ts';
import type { KernelModule } from './module.ts';
import { type KernelProblem, type KeyErrors, kernelProblem } from './problem.ts';

/** A tensor as a flat array, or as what it is in a file, and its shape; row-major. */
export interface FlatTensor {
  readonly data: Float64Array | FileRange;
  readonly shape: readonly number[];
}

/** Makes storage of a part of a file; who can read files knows how. */
export type OpenRange = (range: FileRange) => RangedStorage;

/** A case that can be sent to another thread. */
export interface FlatCase {
  readonly parameters: CaseParameters;
  readonly inputs: Partial<Record<InputName, FlatTensor>>;
  readonly k: FlatTensor;
  readonly v: FlatTensor;
  readonly keyErrors: KeyErrors | null;
}

export interface ForwardTask {
  readonly kind: 'forward';
  readonly rows: readonly number[];
  /** [B, Hq, rows] */
  readonly results: RowResults;
}

export interface BackwardTask {
  readonly kind: 'backward';
  readonly rows: readonly number[];
  readonly keys: readonly number[];
  readonly results: RowResults;
  readonly deltas: Deltas;
  /** [B, Hq, rows, d], [B, Hkv, keys, d], [B, Hkv, keys, dv]; null = not wanted. */
  readonly dQ: Sums | null;
  readonly dK: Sums | null;
  readonly dV: Sums | null;
}

export type Task = ForwardTask | BackwardTask;

/** The case as the kernels see it, from flat arrays. */
export function problemOf(
  { parameters, inputs, k, v, keyErrors }: FlatCase,
  openRange: OpenRange,
): KernelProblem {
  const open = ({ data, shape }: FlatTensor) =>
    data instanceof Float64Array
      ? tensorOf<number>(data, shape)
      : rangedTensor(openRange(data), shape);
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, tensor]) => [name, open(tensor)]),
  );
  const attentionCase: AttentionCase = { parameters, inputs: tensors, judging: 'structured' };
  return kernelProblem(attentionCase, open(k), open(v), keyErrors);
}

/** Units of a task: blocks of query rows of each head, or KV heads. */
export function unitCount({ parameters: p }: KernelProblem, task: Task): number {
  if (task.kind === 'backward') return p.batch * p.kv_heads;
  return p.batch * p.heads * Math.ceil(task.rows.length / ROW_BLOCK);
}

function within(sums: Sums | null, start: number, length: number): Sums | null {
  if (sums === null) return null;
  return {
    value: sums.value.subarray(start, start + length),
    error: sums.error.subarray(start, start + length),
  };
}

/** The backward pass of one KV head, RANGE keys at a time. */
function backwardHead(
  kernels: KernelModule,
  problem: KernelProblem,
  task: BackwardTask,
  head: number,
  onScores: ScoreListener | null,
): void {
  const { kv_heads, head_dim: d, head_dim_v: dv } = problem.parameters;
  const { rows, keys, results, deltas, dQ } = task;
  for (let start = 0; start < keys.length; start += RANGE) {
    const part = keys.slice(start, start + RANGE);
    const first = head * keys.length + start;
    backwardRange(kernels, problem, {
      b: Math.floor(head / kv_heads),
      g: head % kv_heads,
      rows,
      results,
      deltas,
      keys: part,
      keyCount: keys.length,
      dQ,
      dK: within(task.dK, first * d, part.length * d),
      dV: within(task.dV, first * dv, part.length * dv),
      onScores,
    });
  }
}

/** Runs unit `n` of a task. `onScores` is told dS, tile by tile, of a backward task. */
export function runUnit(
  kernels: KernelModule,
  problem: KernelProblem,
  task: Task,
  n: number,
  onScores: ScoreListener | null = null,
): void {
  if (task.kind === 'backward') {
    backwardHead(kernels, problem, task, n, onScores);
    return;
  }
  const { rows, results } = task;
  const blocks = Math.ceil(rows.length / ROW_BLOCK);
  const [head, block] = [Math.floor(n / blocks), n % blocks];
  const { heads } = problem.parameters;
  const part = rows.slice(block * ROW_BLOCK, (block + 1) * ROW_BLOCK);
  const at = head * rows.length + block * ROW_BLOCK;
  forwardRows(kernels, problem, [Math.floor(head / heads), head % heads], part, results, at);
}
