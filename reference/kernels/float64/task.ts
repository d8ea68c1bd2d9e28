/**
 * Tasks: the work of a pass as independent units, for one thread or many.
 *
 * A unit writes where no other does and computes the same bits wherever and whenever it runs.
 * Everything in a task is plain data over (shared) float64 arrays, so that it can be sent to a thread.
 * @module
 */
import type { AttentionCase, CaseParameters, InputName } from '../../case/case.ts';
import type { FileRange } from '../../files/stored-file.ts';
import { type RangedStorage, rangedTensor, tensorOf } from '../../numbers/tensor.ts';
import type { KernelModule } from '../module.ts';
import { fours, type KernelProblem, type KeyErrors, kernelProblem, TILE } from '../walk/problem.ts';
import { backwardRange } from './backward.ts';
import { type BackwardTask, type ScoreListener, type Sums, sumsWithin } from './backward-work.ts';
import { addFeatures, type FeaturesTask } from './feature-gradients.ts';
import { slabCount } from './feature-parts.ts';
import { keyReaders } from './features.ts';
import { forwardBlock } from './forward.ts';
import { forwardByParts } from './forward-parts.ts';
import { findKeyErrors, findKeySizes, type KeySizes, keyUnits } from './key-sizes.ts';
import { RANGE, rangeTiles } from './range-tiles.ts';
import { ROW_BLOCK, type RowPart, type RowResults } from './row-blocks.ts';

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
  /** Of K and V recomputed, once the task that finds them is done; null = both are given. */
  readonly keyErrors: KeyErrors | null;
}

/** Finds how far K and V as recomputed may be off. */
export interface KeyErrorsTask {
  readonly kind: 'key errors';
  readonly keyErrors: KeyErrors;
}

/** Finds how large they and what they are made of are. */
export interface KeySizesTask {
  readonly kind: 'key sizes';
  readonly keySizes: KeySizes;
}

export interface ForwardTask {
  readonly kind: 'forward';
  readonly rows: readonly number[];
  /** Threads to find work for; no bit depends on it. */
  readonly threads: number;
  /** [B, Hq, rows] */
  readonly results: RowResults;
}

export type Task = KeyErrorsTask | KeySizesTask | ForwardTask | BackwardTask | FeaturesTask;

/** The case as the kernels see it, from flat arrays. */
export function problemOf(
  { parameters, inputs, keyErrors }: FlatCase,
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
  return kernelProblem(attentionCase, keyReaders(attentionCase), keyErrors);
}

/** How the rows of the heads that share a KV head are divided: into tiles of one head, and those into units. */
interface Division {
  /** Tiles of a head, and of all its heads. */
  readonly each: number;
  readonly tiles: number;
  /** Units of a KV head. */
  readonly units: number;
  /** Tiles of a block. */
  readonly room: number;
}

/**
 * As few units as have room for their rows, for each reads all keys, and fewer still where each recomputes
 * them; but more where threads would stand idle else.
 */
function division(
  { parameters: p, keyErrors }: KernelProblem,
  { rows, threads }: ForwardTask,
): Division {
  const each = Math.ceil(rows.length / TILE);
  const tiles = each * (p.heads / p.kv_heads);
  const heads = p.batch * p.kv_heads;
  const room = Math.floor(ROW_BLOCK / fours(Math.min(TILE, rows.length)));
  if (keyErrors !== null) {
    const units = Math.min(tiles, Math.ceil(threads / heads));
    return { each, tiles, units, room };
  }
  let units = Math.ceil(tiles / room);
  while (units < tiles && (heads * units) % threads > 0 && heads * units < 4 * threads) units++;
  return { each, tiles, units, room };
}

/** Units of a task: blocks of the query rows of each KV head's heads, or KV heads, or their K and V, or slabs of Y. */
export function unitCount(problem: KernelProblem, task: Task): number {
  const { batch, kv_heads } = problem.parameters;
  if (task.kind === 'key errors' || task.kind === 'key sizes') return keyUnits(problem.parameters);
  if (task.kind === 'features') return slabCount(problem.parameters);
  if (task.kind === 'backward') return batch * kv_heads;
  return batch * kv_heads * division(problem, task).units;
}

/** The tiles of unit `n` of a forward pass. */
function forwardUnit(
  kernels: KernelModule,
  problem: KernelProblem,
  task: ForwardTask,
  n: number,
): void {
  const { heads, kv_heads } = problem.parameters;
  const { rows, results } = task;
  const { each, tiles, units, room } = division(problem, task);
  const [head, unit] = [Math.floor(n / units), n % units];
  const [b, g] = [Math.floor(head / kv_heads), head % kv_heads];
  const [first, end] = [unit, unit + 1].map((at) => Math.floor((at * tiles) / units));
  const parts: RowPart[] = [];
  for (let tile = first ?? 0; tile < (end ?? 0); tile++) {
    const h = g * (heads / kv_heads) + Math.floor(tile / each);
    const start = (tile % each) * TILE;
    const at = (b * heads + h) * rows.length + start;
    parts.push({ h, rows: rows.slice(start, start + TILE), at });
  }
  const blocks: RowPart[][] = [];
  for (let n = 0; n < parts.length; n += room) blocks.push(parts.slice(n, n + room));
  if (problem.keyErrors !== null) forwardByParts(kernels, problem, [b, g], blocks, results);
  else for (const block of blocks) forwardBlock(kernels, problem, [b, g], block, results);
}

const within = (sums: Sums | null, start: number, length: number): Sums | null =>
  sums === null ? null : sumsWithin(sums, start, length);

/** The backward pass of one KV head, RANGE keys at a time. */
function backwardHead(
  kernels: KernelModule,
  problem: KernelProblem,
  task: BackwardTask,
  head: number,
  onScores: ScoreListener | null,
): void {
  const { kv_heads, head_dim: d, head_dim_v: dv } = problem.parameters;
  const { rows, keys, keyCount, results, deltas, dQ } = task;
  const tiles = rangeTiles(kernels, problem, Math.min(RANGE, keys.length));
  for (let start = 0; start < keys.length; start += RANGE) {
    const part = keys.slice(start, start + RANGE);
    const first = head * keys.length + start;
    backwardRange(kernels, problem, tiles, {
      b: Math.floor(head / kv_heads),
      g: head % kv_heads,
      rows,
      results,
      deltas,
      keys: part,
      keyCount,
      dQ,
      dK: within(task.dK, first * d, part.length * d),
      dV: within(task.dV, first * dv, part.length * dv),
      final: task.final,
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
  switch (task.kind) {
    case 'key errors':
      findKeyErrors(problem, task.keyErrors, n);
      break;
    case 'key sizes':
      findKeySizes(problem, task.keySizes, n);
      break;
    case 'forward':
      forwardUnit(kernels, problem, task, n);
      break;
    case 'backward':
      backwardHead(kernels, problem, task, n, onScores);
      break;
    case 'features':
      addFeatures(problem, task, n);
  }
}
