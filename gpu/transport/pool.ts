/**
 * The worker pool: threads that stay between cases, one per rank, grown as needed.
 *
 * Ranks of one case wait for one another, so each must have a thread of its own at the same time; a
 * task queue that runs them in turn would hang. That is why this is not a general pool.
 * @module
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Answer, Job } from './job.ts';

const workers: Worker[] = [];

/** The built worker; sources are TypeScript, which a thread cannot load. */
function workerFile(): URL {
  const beside = import.meta.url.endsWith('.ts')
    ? new URL('../../dist/gpu/transport/worker.js', import.meta.url)
    : new URL('./worker.js', import.meta.url);
  if (!existsSync(fileURLToPath(beside))) {
    throw new Error(`worker threads expected ${fileURLToPath(beside)}: run "npm run build" first`);
  }
  return beside;
}

function workerAt(index: number): Worker {
  const present = workers[index];
  if (present !== undefined) return present;
  const worker = new Worker(workerFile());
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
    await closeWorkers();
    throw error;
  }
}

/** Ends all threads; the next run starts new ones. */
export async function closeWorkers(): Promise<void> {
  const all = workers.splice(0);
  await Promise.all(all.map((worker) => worker.terminate()));
}
