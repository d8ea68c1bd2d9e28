/**
 * A case on its way through the kernels, in float64 or in double-double: on this thread or on several.
 * @module
 */
import type { AttentionCase } from '../../case/case.ts';
import { keyReaders } from '../float64/features.ts';
import { newKeyErrors } from '../float64/key-sizes.ts';
import { type FlatCase, type KeyErrorsTask, problemOf } from '../float64/task.ts';
import { type KernelModule, kernelModule } from '../module.ts';
import { type KernelProblem, type KeyErrors, kernelProblem } from '../walk/problem.ts';
import { sharedArray, sharedCase } from './shared.ts';
import { isThreaded, runUnits, type ThreadWork } from './threads.ts';

/** What one system of numbers makes of tasks T: its problems P, and listeners L that are told dS. */
export interface KernelSystem<P, T, L> {
  readonly problem: (problem: KernelProblem) => P;
  readonly unitCount: (problem: P, task: T) => number;
  readonly runUnit: (
    kernels: KernelModule,
    problem: P,
    task: T,
    n: number,
    listener?: L | null,
  ) => void;
  /** A task for a thread. */
  readonly work: (flat: FlatCase, task: T) => ThreadWork;
}

/** Allocates results, and runs tasks. */
export interface KernelRun<P, T, L> {
  readonly problem: P;
  readonly threads: number;
  /** Over shared memory where threads write. */
  readonly allocate: (length: number) => Float64Array;
  /** `listener` is told dS; such a task runs on this thread alone. */
  readonly perform: (task: T, listener?: L | null) => void;
}

/** A run whose problem knows how far its K and V may be off; `known`: from a run of the same keys before. */
export function startRun<P, T, L>(
  system: KernelSystem<P, T | KeyErrorsTask, L>,
  attentionCase: AttentionCase,
  threads: number,
  known: KeyErrors | null = null,
): KernelRun<P, T | KeyErrorsTask, L> {
  const shared = isThreaded(threads);
  const allocate = shared ? sharedArray : (length: number) => new Float64Array(length);
  const recomputed = attentionCase.parameters.dim_y !== undefined;
  const keyErrors = recomputed ? (known ?? newKeyErrors(attentionCase, allocate)) : null;
  const given = shared ? sharedCase(attentionCase, keyErrors) : null;
  const problem = system.problem(
    given === null
      ? kernelProblem(attentionCase, keyReaders(attentionCase), keyErrors)
      : problemOf(given.flat, given.openRange),
  );
  const perform = (task: T | KeyErrorsTask, listener: L | null = null): void => {
    const units = system.unitCount(problem, task);
    const unit = (n: number) => system.runUnit(kernelModule(), problem, task, n, listener);
    if (given === null || listener !== null) for (let n = 0; n < units; n++) unit(n);
    else runUnits(system.work(given.flat, task), units, threads, unit);
  };
  if (keyErrors !== null && known === null) perform({ kind: 'key errors', keyErrors });
  return { problem, threads: shared ? threads : 1, allocate, perform };
}
