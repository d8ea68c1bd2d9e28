/**
 * A task on several threads, synchronously: this thread works too, and waits for the others on
 * shared memory.
 *
 * Threads stay between tasks, and do not keep the process alive. A thread that never starts claims
 * no unit, so the task ends without it. Threads are Node's; elsewhere they are workers that the caller
 * starts and lends, and without any everything runs on this thread.
 * @module
 */
import type { Worker } from 'node:worker_threads';
import { type DoubleTask, doubleProblemOf, runDoubleUnit } from '../double/double-task.ts';
import { type FlatCase, type OpenRange, problemOf, runUnit, type Task } from '../float64/task.ts';
import { kernelModule } from '../module.ts';

/** Slots of the shared counters. */
export const NEXT = 0;
export const DONE = 1;
export const FAILED = 2;

/** A task and its case, in float64 or in double-double. */
export type ThreadWork =
  | { readonly flat: FlatCase; readonly task: Task }
  | { readonly flat: FlatCase; readonly doubleTask: DoubleTask };

/** What a thread is told. */
export interface ThreadMessage {
  readonly work: ThreadWork;
  readonly units: number;
  readonly counters: Int32Array<SharedArrayBuffer>;
}

/** Takes units until there are none left, or another thread has failed. How many it has taken. */
export function workOff(
  counters: Int32Array<SharedArrayBuffer>,
  units: number,
  unit: (n: number) => void,
): number {
  for (let taken = 0; ; ) {
    const n = Atomics.add(counters, NEXT, 1);
    if (n >= units || Atomics.load(counters, FAILED) !== 0) return taken;
    try {
      unit(n);
      taken++;
    } catch (error) {
      Atomics.store(counters, FAILED, 1);
      throw error;
    } finally {
      Atomics.add(counters, DONE, 1);
      Atomics.notify(counters, DONE);
    }
  }
}

interface Node {
  readonly threads: typeof import('node:worker_threads');
  readonly files: typeof import('node:fs');
}

/** Node's own modules, without an import that a browser would stumble over. */
function node(): Node | null {
  const load = globalThis.process?.getBuiltinModule;
  if (load === undefined) return null;
  const [threads, files] = [load('node:worker_threads'), load('node:fs')];
  return threads === undefined || files === undefined ? null : { threads, files };
}

/** Where a lent thread's messages go; at the other end `serve` is called with each. */
export interface ThreadPort {
  postMessage(message: ThreadMessage): void;
}

const lent: ThreadPort[] = [];

/**
 * Lends a thread that the caller has started, as in a browser. The thread that calls certify must be one
 * that may wait (Atomics.wait): a worker, not the page.
 */
export function lendThread(port: ThreadPort): void {
  lent.push(port);
}

/** What runs a unit of the work on this thread. */
function unitOf(work: ThreadWork, openRange: OpenRange): (n: number) => void {
  if ('doubleTask' in work) {
    const problem = doubleProblemOf(work.flat, openRange);
    return (n) => runDoubleUnit(kernelModule(), problem, work.doubleTask, n);
  }
  const problem = problemOf(work.flat, openRange);
  return (n) => runUnit(kernelModule(), problem, work.task, n);
}

/** Takes part in a task; what a thread does with a message. How many units it has taken. */
export function serve({ work, units, counters }: ThreadMessage, openRange: OpenRange): number {
  // Built for the first unit only: a task that was over before this thread came may have closed its files.
  let unit: ((n: number) => void) | undefined;
  return workOff(counters, units, (n) => {
    unit ??= unitOf(work, openRange);
    unit(n);
  });
}

/** Can a task run on more than one thread here? */
function threadsAvailable(): boolean {
  return lent.length > 0 || node() !== null;
}

/** Will work that asks for so many threads run on more than one? Throws RangeError for no such number. */
export function isThreaded(threads: number): boolean {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new RangeError(`"threads" expected a positive integer, got ${threads}`);
  }
  return threads > 1 && threadsAvailable();
}

const workers: Worker[] = [];

/** The built worker; sources are TypeScript, which a thread cannot load. */
function workerAt(index: number, { threads, files }: Node): Worker {
  const present = workers[index];
  if (present !== undefined) return present;
  const file = import.meta.url.endsWith('.ts')
    ? new URL('../../../dist/reference/kernels/threads/worker.js', import.meta.url)
    : new URL('./worker.js', import.meta.url);
  if (!files.existsSync(file)) {
    throw new Error(`worker threads expected ${file.pathname}: run "npm run build" first`);
  }
  // Its tiles are not on its heap: what is would grow to many times what is in use.
  const worker = new threads.Worker(file, { resourceLimits: { maxYoungGenerationSizeMb: 2 } });
  worker.unref();
  worker.on('exit', () => {
    if (workers[index] === worker) delete workers[index];
  });
  workers[index] = worker;
  return worker;
}

/**
 * Runs the units of a task on `threads` threads, this one, which has its `unit`, included. Its arrays must be over
 * shared memory.
 */
export function runUnits(
  work: ThreadWork,
  units: number,
  threads: number,
  unit: (n: number) => void,
): void {
  const counters = new Int32Array(new SharedArrayBuffer(12));
  const available = node();
  const message: ThreadMessage = { work, units, counters };
  for (let n = 0; n < Math.min(threads, units) - 1; n++) {
    if (lent.length > 0) lent[n]?.postMessage(message);
    else if (available !== null) workerAt(n, available).postMessage(message);
  }
  workOff(counters, units, unit);
  for (;;) {
    if (Atomics.load(counters, FAILED) !== 0) throw new Error('a thread of the kernels failed');
    const done = Atomics.load(counters, DONE);
    if (done >= units) return;
    Atomics.wait(counters, DONE, done);
  }
}
