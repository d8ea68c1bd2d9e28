import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { drawCase } from '../../reference/case/draw-case.ts';
import { distribute } from '../distribute.ts';
import { closeWorkers, passesOf } from '../run.ts';
import type { Job } from './job.ts';
import { runThreads } from './threads-run.ts';

const RANKS = 3;
const partition = { ranks: RANKS, q: [2, 1, 1], kv: [3, 3, 3] };
const c = drawCase(3, { seq_q: 4, seq_kv: 9, partition });
const passes = passesOf(c, 'lv-xattn');
/** Where rank 1 first waits for another one. */
const waits = passes[0]!.ranks[1]!.findIndex(({ op }) => op === 'receive');

afterEach(async () => {
  vi.restoreAllMocks();
  await closeWorkers();
});

/** Jobs as they are handed to threads; that of rank 0, or of some, only when it is let go. */
function withheld(some: readonly number[] = [0]) {
  const jobs: { worker: Worker; job: Job }[] = [];
  const post = Worker.prototype.postMessage;
  vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker, job: Job) {
    jobs.push({ worker: this, job });
    if (!some.includes(job.shard.rank)) post.call(this, job);
  });
  const letGo = () => post.call(jobs[0]!.worker, jobs[0]!.job);
  return { jobs, letGo };
}

function start(timeoutMs = 60_000) {
  const shards = distribute(c, 'f64');
  const progress = new Int32Array(new SharedArrayBuffer(4 * RANKS));
  const ran = runThreads(shards, passes, 'reference', { timeoutMs, progress });
  ran.catch(() => undefined);
  const isWaiting = async () => {
    while (Atomics.load(progress, 1) < waits) await new Promise((go) => setTimeout(go, 5));
  };
  return { shards, ran, isWaiting };
}

/** Threads that have not ended have a number of their own. */
const alive = (jobs: readonly { worker: Worker }[]): number[] =>
  jobs.map(({ worker }) => worker.threadId).filter((id) => id !== -1);

/** Tasks of this process that run or want to. */
function running(): string[] {
  const folder = '/proc/self/task';
  return readdirSync(folder).filter((task) => {
    try {
      return /\) R /.test(readFileSync(`${folder}/${task}/stat`, 'utf8'));
    } catch {
      return false;
    }
  });
}

describe('ranks on threads', () => {
  it('get keys and values in the memory where they were laid out, and never as a message', async () => {
    const { jobs, letGo } = withheld();
    const { shards, ran, isWaiting } = start();
    for (const [rank, { job }] of jobs.entries()) {
      for (const name of ['q', 'k', 'v'] as const) {
        expect(job.shard[name].buffer).toBeInstanceOf(SharedArrayBuffer);
        expect(job.shard[name].buffer).toBe(shards[rank]![name].buffer);
      }
      expect(new Set(job.mailboxes.boxes.map(({ lane }) => lane))).toEqual(
        new Set(['query', 'result']),
      );
    }
    await isWaiting();
    // What is written here while rank 1 waits is what it computes with afterwards.
    shards[1]!.v.fill(1000);
    letGo();
    const { results } = await ran;
    for (const number of results[0]!.out) expect(number).toBeGreaterThan(1);
  });

  it.skipIf(!existsSync('/proc/self/task'))('sleep while they wait', async () => {
    const { letGo } = withheld();
    const { ran, isWaiting } = start();
    await isWaiting();
    await new Promise((go) => setTimeout(go, 300));
    const samples: string[][] = [];
    for (let n = 0; n < 20; n++) {
      await new Promise((go) => setTimeout(go, 20));
      samples.push(running());
    }
    const always = samples[0]!.filter((task) => samples.every((tasks) => tasks.includes(task)));
    // The one that asks.
    expect(always.length).toBeLessThanOrEqual(1);
    letGo();
    await ran;
  });

  it('end the run, by rank and step, when one of them ends; and all end', async () => {
    const { jobs } = withheld();
    const { ran, isWaiting } = start();
    await isWaiting();
    await jobs[1]!.worker.terminate();
    await expect(ran).rejects.toThrow(
      `rank 1, pass 0, step ${waits} (receive on lane query): its thread left with status 1`,
    );
    expect(alive(jobs)).toEqual([]);
  });

  it('end the run where a message does not come in time, by rank, step, lane and block', async () => {
    const { jobs } = withheld([0, 2]);
    const { ran } = start(300);
    // Rank 1 waits for what rank 0 never sends.
    const sends = passes[0]!.ranks[0]!.findIndex(({ op }) => op === 'send');
    await expect(ran).rejects.toThrow(
      `rank 1, pass 0, step ${waits} (receive on lane query): waited 300 ms for a message from ` +
        `rank 0 on lane query: block 0, which it sends in its pass 0, step ${sends}, ` +
        'and was last at pass 0, step 0',
    );
    expect(alive(jobs)).toEqual([]);
  });
});
