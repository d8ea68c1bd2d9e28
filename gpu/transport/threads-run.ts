/**
 * Ranks on worker threads: what they need is checked, dealt out, run, and collected.
 * @module
 */

import type { Shard } from '../context.ts';
import type { resolveDevice } from '../device/choose.ts';
import type { RanksRun, RunOptions, Watching } from '../run-options.ts';
import type { Schedule } from '../schedule.ts';
import { flattenInputs } from './job.ts';
import { checkThreadNeeds, inputBytesOf } from './needs.ts';
import { runJobs } from './pool.ts';
import { type Mailboxes, planMailboxes } from './threads.ts';

let jobs = 0;

const counters = (ranks: number) => new Int32Array(new SharedArrayBuffer(4 * ranks));

export async function runThreads(
  shards: readonly Shard[],
  schedules: readonly Schedule[],
  device: ReturnType<typeof resolveDevice>,
  options: Pick<RunOptions, 'timeoutMs'> & Watching,
): Promise<RanksRun> {
  const { timeoutMs = 60_000, observing = false, timing = false } = options;
  const progress = options.progress ?? counters(shards.length);
  const [shard] = shards;
  if (shard === undefined) throw new Error('a case expected at least one rank');
  const bytesPerElement = device === 'reference' ? 8 : 4;
  const { boxes, bytes } = planMailboxes(shard.parameters, schedules, bytesPerElement);
  checkThreadNeeds(shards.length, bytes + inputBytesOf(shards));
  const memory = new SharedArrayBuffer(bytes);
  const mailboxes: Mailboxes = { memory, bytesPerElement, boxes };
  jobs++;
  const dealt = shards.map((own) => {
    const { inputs: _, ...plain } = own;
    const inputs = flattenInputs(own);
    const passes = schedules.map((pass) => onlyOf(pass, own.rank));
    const watching = { observing, timing, progress };
    return { id: jobs, device, shard: plain, inputs, passes, mailboxes, timeoutMs, ...watching };
  });
  const answers = await runJobs(dealt, schedules, progress);
  return {
    results: answers.map(({ result }) => result),
    backend: answers[0]?.backend ?? '',
    log: answers.flatMap(({ log }) => log),
    peakBytes: answers.map((answer) => answer.peakBytes),
  };
}

/** A schedule without the lists of other ranks, which a thread has no use for. */
function onlyOf(pass: Schedule, rank: number): Schedule {
  return { ...pass, ranks: pass.ranks.map((list, n) => (n === rank ? list : [])) };
}
