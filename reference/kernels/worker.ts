/**
 * A thread of the kernels: takes units of each task it is told until none is left.
 * @module
 */
import { parentPort } from 'node:worker_threads';
import { kernelModule } from './module.ts';
import { problemOf, runUnit } from './task.ts';
import { type ThreadMessage, workOff } from './threads.ts';

parentPort?.on('message', ({ flat, task, units, counters }: ThreadMessage) => {
  const problem = problemOf(flat);
  try {
    workOff(counters, units, (n) => runUnit(kernelModule(), problem, task, n));
  } catch (error) {
    // The main thread has been told by the counters; it is waiting and reads no messages.
    console.error(error);
  }
});
