/**
 * A worker thread: runs one rank of one job at a time, and stays for the next.
 * @module
 */
import { parentPort } from 'node:worker_threads';
import { deviceOf } from '../device/choose.ts';
import { interpret, type Log, placeAfter, StepError } from '../interpreter.ts';
import { makeRank } from '../rank.ts';
import { type Answer, type Job, shardOf } from './job.ts';
import { Late, threadTransport } from './threads.ts';

async function run(job: Job): Promise<Answer> {
  const shard = shardOf(job);
  const device = deviceOf(job.device);
  const transport = threadTransport(job.mailboxes, shard.rank, job.timeoutMs);
  const rank = makeRank(shard, device);
  const { observing, timing, progress } = job;
  const log: Log = { events: [], observing, timing, progress };
  await interpret(rank, shard.rank, job.passes, transport, log);
  return {
    id: job.id,
    ok: true,
    result: await rank.result(),
    backend: device.backend,
    log: log.events,
    peakBytes: rank.peakBytes(),
  };
}

function failureOf({ id, progress, passes, shard }: Job, error: unknown): Answer {
  const cause = error instanceof StepError ? error.cause : error;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const done = Atomics.load(progress, shard.rank);
  const { pass, step } = error instanceof StepError ? error : placeAfter(passes, shard.rank, done);
  return { id, ok: false, reason, late: cause instanceof Late, pass, step };
}

parentPort?.on('message', async (job: Job) => {
  try {
    parentPort?.postMessage(await run(job));
  } catch (error) {
    parentPort?.postMessage(failureOf(job, error));
  }
});
