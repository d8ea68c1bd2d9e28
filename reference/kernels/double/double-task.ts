/**
 * Tasks in double-double: as task.ts has them, over the same flat cases.
 *
 * A unit writes where no other does and computes the same bits wherever and whenever it runs.
 * @module
 */

import { entry, nth } from '../../numbers/nth.ts';
import { slabCount } from '../float64/feature-parts.ts';
import { forwardBlock } from '../float64/forward.ts';
import { keyUnits } from '../float64/key-sizes.ts';
import { emptyResults, ROW_BLOCK, type RowPart } from '../float64/row-blocks.ts';
import { type FlatCase, type KeyErrorsTask, type OpenRange, problemOf } from '../float64/task.ts';
import type { KernelModule } from '../module.ts';
import type { Columns, HeadRows } from '../walk/head-rows.ts';
import { fours, type KernelProblem, TILE } from '../walk/problem.ts';
import { DOUBLE_RANGE, doubleBackward } from './double-backward.ts';
import { addDoubleFeatures, type DoubleFeaturesTask } from './double-feature-gradients.ts';
import { type DoubleProblem, doubleProblem, findDoubleKeyErrors } from './double-features.ts';
import { type DoublePart, doubleForward } from './double-forward.ts';
import { type DoubleRows, finishSums } from './double-sums.ts';
import type { DoubleBackwardTask, DoubleWork } from './double-work.ts';

export interface DoubleForwardTask {
  readonly kind: 'forward';
  readonly rows: HeadRows;
  /** Null where all columns of `out` are wanted. */
  readonly columns: Columns | null;
  /** Weights in float64. */
  readonly short: boolean;
  /** Threads to find work for; no bit depends on it. */
  readonly threads: number;
  /** Are the maxima in the results? */
  readonly known: boolean;
  /** [rows] */
  readonly results: DoubleRows;
}

export type DoubleTask =
  | KeyErrorsTask
  | DoubleForwardTask
  | DoubleBackwardTask
  | DoubleFeaturesTask;

/** The case as the kernels see it, from flat arrays. */
export const doubleProblemOf = (flat: FlatCase, openRange: OpenRange): DoubleProblem =>
  doubleProblem(problemOf(flat, openRange));

/** Rows of a part of which some columns are wanted: few, for each part cuts its columns of the values. */
const COLUMN_ROWS = 8;

/** The columns wanted of some rows. */
function columnsOf(columns: Columns, first: number, count: number): number[] {
  const found = new Set(columns.slice(first, first + count).flat());
  return [...found].sort((a, b) => a - b);
}

/** The rows of the heads that share KV head `head`, in parts. */
function partsOf(
  { parameters: p }: KernelProblem,
  { rows, columns, short }: DoubleForwardTask,
  head: number,
): DoublePart[] {
  const most = columns === null ? TILE : COLUMN_ROWS;
  const group = p.heads / p.kv_heads;
  const [b, g] = [Math.floor(head / p.kv_heads), head % p.kv_heads];
  return Array.from({ length: group }, (_, n) => g * group + n).flatMap((h) => {
    const [start, list] = [entry(rows.starts, b * p.heads + h), rows.rows[b * p.heads + h] ?? []];
    return Array.from({ length: Math.ceil(list.length / most) }, (_, n) => {
      const [part, at] = [list.slice(n * most, (n + 1) * most), start + n * most];
      const wanted = columns === null ? null : columnsOf(columns, at, part.length);
      return { h, rows: part, at, columns: wanted, short };
    });
  });
}

/** A unit of a forward pass: parts that share their tiles of keys. */
interface ForwardUnit {
  readonly head: number;
  readonly parts: readonly DoublePart[];
}

/** Reading and cutting a tile of keys takes about as long as so many rows do with it. */
const READING = 64;

const cost = ({ parts }: ForwardUnit): number =>
  READING + parts.reduce((sum, { rows }) => sum + rows.length, 0);

/** The cost of what the busiest of so many threads does, where each takes the next unit when it is free. */
function busiest(units: readonly ForwardUnit[], threads: number): number {
  const loads = new Array<number>(threads).fill(0);
  for (const unit of units) {
    const free = loads.indexOf(Math.min(...loads));
    loads[free] = entry(loads, free) + cost(unit);
  }
  return Math.max(...loads);
}

/** The parts of a KV head in `count` units. */
function divided({ head, parts }: ForwardUnit, count: number): ForwardUnit[] {
  return Array.from({ length: count }, (_, n) => {
    const [from, to] = [n, n + 1].map((at) => Math.floor((at * parts.length) / count));
    return { head, parts: parts.slice(from, to) };
  });
}

/**
 * As few units as have room for their rows, for each reads and cuts all keys; but more where that is sooner
 * done, at most four for each thread. The largest come first.
 */
function divide(problem: KernelProblem, task: DoubleForwardTask): ForwardUnit[] {
  const { batch, kv_heads } = problem.parameters;
  const heads = Array.from({ length: batch * kv_heads }, (_, head) => ({
    head,
    parts: partsOf(problem, task, head),
  })).filter(({ parts }) => parts.length > 0);
  const counts = heads.map(({ parts }) => {
    const largest = parts.reduce((most, { rows }) => Math.max(most, fours(rows.length)), 4);
    return Math.ceil(parts.length / Math.floor(ROW_BLOCK / largest));
  });
  const unitsOf = (): ForwardUnit[] =>
    heads
      .flatMap((head, n) => divided(head, counts[n] ?? 1))
      .sort((one, other) => cost(other) - cost(one));
  let best = unitsOf();
  for (let last = best; last.length > 0 && last.length < 4 * task.threads; ) {
    // One unit more of the KV head that has the largest.
    const n = heads.findIndex(({ head }) => head === last[0]?.head);
    const count = (counts[n] ?? 1) + 1;
    if (count > (heads[n]?.parts.length ?? 0)) break;
    counts[n] = count;
    last = unitsOf();
    if (busiest(last, task.threads) < busiest(best, task.threads)) best = last;
  }
  return best;
}

const divisions = new WeakMap<DoubleForwardTask, ForwardUnit[]>();

/** The units of a task, divided once. */
function forwardUnits(problem: KernelProblem, task: DoubleForwardTask): ForwardUnit[] {
  const found = divisions.get(task) ?? divide(problem, task);
  divisions.set(task, found);
  return found;
}

export function doubleUnitCount(problem: KernelProblem, task: DoubleTask): number {
  const { parameters: p } = problem;
  switch (task.kind) {
    case 'key errors':
      return keyUnits(p);
    case 'forward':
      return forwardUnits(problem, task).length;
    case 'backward':
      return p.batch * p.kv_heads;
    case 'features':
      return slabCount(p);
  }
}

/** The rows' maxima as the float64 kernels find them. */
function findMaxima(
  kernels: KernelModule,
  problem: DoubleProblem,
  at: readonly [number, number],
  parts: readonly RowPart[],
  { m }: DoubleRows,
): void {
  let count = 0;
  const places = parts.map((part) => {
    count += part.rows.length;
    return { ...part, at: count - part.rows.length };
  });
  const { head_dim_v } = problem.parameters;
  const found = emptyResults(count, head_dim_v, (length) => new Float64Array(length));
  forwardBlock(kernels, { ...problem, ...problem.plain }, at, places, found);
  parts.forEach((part, n) => {
    const first = places[n]?.at ?? 0;
    m.set(found.m.subarray(first, first + part.rows.length), part.at);
  });
}

function forwardUnit(
  kernels: KernelModule,
  problem: DoubleProblem,
  task: DoubleForwardTask,
  n: number,
): void {
  const { kv_heads } = problem.parameters;
  const unit = forwardUnits(problem, task)[n];
  if (unit === undefined) return;
  const at = [Math.floor(unit.head / kv_heads), unit.head % kv_heads] as const;
  if (!task.known) findMaxima(kernels, problem, at, unit.parts, task.results);
  doubleForward(kernels, problem, at, unit.parts, task.results);
}

/** The backward pass of one KV head, DOUBLE_RANGE keys at a time. */
function backwardHead(
  kernels: KernelModule,
  problem: DoubleProblem,
  { keys, keyCount, lost, last, ...work }: DoubleBackwardTask,
  head: number,
  onScores: DoubleWork['onScores'],
): void {
  const { parameters: p } = problem;
  const { rows, dQ, dK, dV } = work;
  const at = { b: Math.floor(head / p.kv_heads), g: head % p.kv_heads };
  for (let start = 0; start < keys.length; start += DOUBLE_RANGE) {
    const part = keys.slice(start, start + DOUBLE_RANGE);
    const offset = head * keys.length + start;
    const range = { keys: part, keyCount, offset, onScores };
    const here = doubleBackward(kernels, problem, { ...at, ...work, ...range });
    lost.sum[head] = nth(lost.sum, head) + here;
    lost.most[head] = Math.max(nth(lost.most, head), here);
    const [d, dv] = [p.head_dim, p.head_dim_v];
    if (dK !== null) finishSums(dK, offset * d, part.length * d, p.scale, here);
    if (dV !== null) finishSums(dV, offset * dv, part.length * dv, null, here);
  }
  if (dQ === null || !last) return;
  const group = p.heads / p.kv_heads;
  for (let n = head * group; n < (head + 1) * group; n++) {
    const [first, count] = [entry(rows.starts, n), rows.rows[n]?.length ?? 0];
    finishSums(dQ, first * p.head_dim, count * p.head_dim, p.scale, nth(lost.sum, head));
  }
}

/** Runs unit `n` of a task. `onScores` is told dS, tile by tile, of a backward task. */
export function runDoubleUnit(
  kernels: KernelModule,
  problem: DoubleProblem,
  task: DoubleTask,
  n: number,
  onScores: DoubleWork['onScores'] = null,
): void {
  switch (task.kind) {
    case 'key errors':
      findDoubleKeyErrors(problem, task.keyErrors, n);
      break;
    case 'forward':
      forwardUnit(kernels, problem, task, n);
      break;
    case 'backward':
      backwardHead(kernels, problem, task, n, onScores);
      break;
    case 'features':
      addDoubleFeatures(problem, task, n);
  }
}
