/**
 * A thread of the kernels: takes units of each task it is told until none is left.
 * @module
 */
import { parentPort } from 'node:worker_threads';
import { fileStorage } from '../stored-file.ts';
import { kernelModule } from './module.ts';
import type { KernelProblem } from './problem.ts';
import { problemOf, runUnit } from './task.ts';
import { type ThreadMessage, workOff } from './threads.ts';

parentPort?.on('message', ({ flat, task, units, counters }: ThreadMessage) => {
  // Built for the first unit only: a task that was over before this thread came may have closed its files.
  let problem: KernelProblem | undefined;
  try {
    workOff(counters, units, (n) => {
      problem ??= problemOf(flat, fileStorage);
      runUnit(kernelModule(), problem, task, n);
    });
  } catch (error) {
    // The main thread has been told by the counters; it is waiting and reads no messages.
    console.error(error);
  }
});
