/**
 * The worker pool: threads that stay between cases, one per rank, grown as needed.
 *
 * Ranks of one case wait for one another, so each must have a thread of its own at the same time; a
 * task queue that runs them in turn would hang. That is why this is not a general pool.
 * @module
 */
import { Worker } from 'node:worker_threads';
import { built } from '../built.ts';
import { failureAt, placeAfter } from '../interpreter.ts';
import type { Schedule } from '../schedule.ts';
import type { Answer, Job } from './job.ts';
import { sentOrNot } from './sent-for.ts';
import type { Place } from './transport.ts';

const workers: Worker[] = [];

function workerAt(index: number): Worker {
  const present = workers[index];
  if (present !== undefined) return present;
  const worker = new Worker(built('transport/worker'));
  worker.unref();
  workers[index] = worker;
  return worker;
}

type Success = Extract<Answer, { ok: true }>;

/** How long a thread may take for its first operation: its engine is loaded before. */
const START_MS = 60_000;
/** Ranks that wait for one another say so first. */
const REASON_MS = 1000;

/** Asks again and again, seldom, whether a rank still does something. */
function watch({ shard, progress, timeoutMs }: Job, begun: number, stalled: (ms: number) => void) {
  let [done, since] = [begun, Date.now()];
  return setInterval(
    () => {
      const now = Atomics.load(progress, shard.rank);
      if (now !== done) [done, since] = [now, Date.now()];
      const most = done === begun ? Math.max(START_MS, timeoutMs) : timeoutMs;
      if (Date.now() - since > most + REASON_MS) stalled(Date.now() - since);
    },
    Math.max(20, timeoutMs / 10),
  );
}

/** Where each rank is, by how much it has done since the run began. */
function placesOf(passes: readonly Schedule[], progress: Int32Array): (rank: number) => Place {
  const begun = progress.slice();
  return (rank) => placeAfter(passes, rank, Atomics.load(progress, rank) - (begun[rank] ?? 0));
}

function ask(
  worker: Worker,
  job: Job,
  passes: readonly Schedule[],
  placeOf: (rank: number) => Place,
): Promise<Success> {
  const { id, progress } = job;
  const { rank } = job.shard;
  const begun = Atomics.load(progress, rank);
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearInterval(timer);
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      // One that is being ended is waited for: nothing else may keep the process alive.
      if (workers.includes(worker)) worker.unref();
      act();
    };
    /** It cannot say itself where it is. */
    const fail = (reason: string) => {
      settle(() => reject(failureAt(passes, rank, placeOf(rank), reason)));
    };
    const onMessage = (answer: Answer) => {
      if (answer.id !== id) return;
      if (answer.ok) {
        settle(() => resolve(answer));
        return;
      }
      const more = answer.late ? sentOrNot(passes, rank, answer, placeOf) : '';
      settle(() => reject(failureAt(passes, rank, answer, `${answer.reason}${more}`)));
    };
    const onError = (error: Error) => fail(`its thread failed: ${error.message}`);
    const onExit = (code: number) => fail(`its thread left with status ${code}`);
    const timer = watch(job, begun, (ms) =>
      fail(`not done after ${ms} ms, where ${job.timeoutMs} are allowed (--timeout-s)`),
    );
    worker.on('message', onMessage).on('error', onError).on('exit', onExit).ref();
    worker.postMessage(job);
  });
}

/**
 * Runs every rank's job at once; `passes` have all ranks' lists. When one fails, all threads are ended,
 * for they may be waiting.
 */
export async function runJobs(
  jobs: readonly Job[],
  passes: readonly Schedule[],
  progress: Int32Array,
): Promise<Success[]> {
  const placeOf = placesOf(passes, progress);
  try {
    return await Promise.all(jobs.map((job, n) => ask(workerAt(n), job, passes, placeOf)));
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
