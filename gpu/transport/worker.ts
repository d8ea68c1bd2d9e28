/**
 * A worker thread: runs one rank of one job at a time, and stays for the next.
 * @module
 */
import { parentPort } from 'node:worker_threads';
import { deviceOf } from '../device/choose.ts';
import { interpret, type Log } from '../interpreter.ts';
import { makeRank } from '../rank.ts';
import { type Answer, type Job, shardOf } from './job.ts';
import { threadTransport } from './threads.ts';

function run(job: Job): Answer {
  const shard = shardOf(job);
  const device = deviceOf(job.device);
  const transport = threadTransport(job.mailboxes);
  const rank = makeRank(shard, device);
  const log: Log = { events: [], observing: job.observing };
  for (const moved of interpret(rank, shard.rank, job.schedules, transport, log)) {
    if (!moved) transport.waitForChange(job.timeoutMs);
  }
  const { backend } = device;
  return { id: job.id, ok: true, result: rank.result(), backend, log: log.events };
}

parentPort?.on('message', (job: Job) => {
  try {
    parentPort?.postMessage(run(job));
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    parentPort?.postMessage({ id: job.id, ok: false, reason } satisfies Answer);
  }
});
