/**
 * The worker pool: threads that stay between cases, one per rank, grown as needed.
 *
 * Ranks of one case wait for one another, so each must have a thread of its own at the same time; a
 * task queue that runs them in turn would hang. That is why this is not a general pool.
 * @module
 */
import { Worker } from 'node:worker_threads';
import { built } from './built.ts';
import type { Answer, Job } from './job.ts';

const workers: Worker[] = [];

function workerAt(index: number): Worker {
  const present = workers[index];
  if (present !== undefined) return present;
  const worker = new Worker(built('worker'));
  worker.unref();
  workers[index] = worker;
  return worker;
}

type Success = Extract<Answer, { ok: true }>;

function ask(worker: Worker, job: Job): Promise<Success> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      worker.off('message', onMessage).off('error', onError).off('exit', onExit).unref();
      act();
    };
    const onMessage = (answer: Answer) => {
      if (answer.id !== job.id) return;
      settle(() => (answer.ok ? resolve(answer) : reject(new Error(answer.reason))));
    };
    const onError = (error: Error) => settle(() => reject(error));
    const onExit = (code: number) => settle(() => reject(new Error(`a worker left with ${code}`)));
    worker.on('message', onMessage).on('error', onError).on('exit', onExit).ref();
    worker.postMessage(job);
  });
}

/** Runs every rank's job at once. When one fails, all threads are ended, for they may be waiting. */
export async function runJobs(jobs: readonly Job[]): Promise<Success[]> {
  try {
    return await Promise.all(jobs.map((job, index) => ask(workerAt(index), job)));
  } catch (error) {
    await closeThreads();
    throw error;
  }
}

/** Ends all threads; the next run starts new ones. */
export async function closeThreads(): Promise<void> {
  const all = workers.splice(0);
  await Promise.all(all.map((worker) => worker.terminate()));
}
