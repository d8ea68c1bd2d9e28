/**
 * A schedule, run on a case: deal it out, run forward and backward, gather what it wants.
 * @module
 */

import type { AttentionCase, Outputs } from '../reference/case/case.ts';
import type { Shard } from './context.ts';
import { deviceOf, resolveDevice } from './device/choose.ts';
import type { Device } from './device/device.ts';
import { distribute, gather } from './distribute.ts';
import { inOrder, interpret, type Log, type RankEvent } from './interpreter.ts';
import { passesOf } from './passes.ts';
import { makeRank } from './rank.ts';
import type { RanksRun, RunOptions, Watching } from './run-options.ts';
import type { Schedule } from './schedule.ts';
import { NO_FAULTS } from './transport/faults.ts';
import { checkProcessNeeds, checkThreadNeeds } from './transport/needs.ts';
import { closeThreads } from './transport/pool.ts';
import { closeProcesses, runProcesses } from './transport/processes-run.ts';
import { chooseBySeed, runSimulated } from './transport/simulated.ts';
import { runThreads } from './transport/threads-run.ts';

export { passesOf };

export const logOf = ({ observing = false, timing = false, progress }: Watching): Log => ({
  events: [],
  observing,
  timing,
  progress: progress ?? null,
});

export interface RunResult {
  /** What the case wants; f32 numbers on GPU.js devices. */
  readonly outputs: Outputs;
  /** The backend that really ran, the same on every rank. */
  readonly backend: string;
  /** Every operation that happened, in an order in which they could have happened one at a time. */
  readonly log: readonly RankEvent[];
  /** The most bytes that each rank's buffers held at once. */
  readonly peakBytes: readonly number[];
}

/** Runs passes one straight after another on ranks that are new, in an order that is chosen. */
export async function runOnOneThread(
  shards: readonly Shard[],
  schedules: readonly Schedule[],
  machine: Device,
  options: Pick<RunOptions, 'seed' | 'choose' | 'timeoutMs'> & Watching,
  faults = NO_FAULTS,
): Promise<RanksRun> {
  const { seed = 0, choose = chooseBySeed(seed), timeoutMs = 60_000 } = options;
  const log = logOf(options);
  const ranks = shards.map((shard) => makeRank(shard, machine));
  await runSimulated(
    ranks.map((rank, n) => (transport) => interpret(rank, n, schedules, transport, log)),
    choose,
    { faults, timeoutMs },
  );
  return {
    results: await Promise.all(ranks.map((rank) => rank.result())),
    backend: machine.backend,
    log: log.events,
    peakBytes: ranks.map((rank) => rank.peakBytes()),
  };
}

/** Runs passes on ranks that are new, over the transport that is asked for. */
export function runRanks(
  shards: readonly Shard[],
  schedules: readonly Schedule[],
  device: ReturnType<typeof resolveDevice>,
  options: RunOptions,
): Promise<RanksRun> {
  switch (options.transport) {
    case 'simulated':
      return runOnOneThread(shards, schedules, deviceOf(device), options);
    case 'threads':
      return runThreads(shards, schedules, device, options);
    case 'processes':
      return runProcesses(shards, schedules, device, options);
  }
}

/** Runs a schedule on a validated case. Throws when a backend is not the one asked for. */
export async function run(attentionCase: AttentionCase, options: RunOptions): Promise<RunResult> {
  const device = resolveDevice(options.device);
  // Before anything is made of them: lists of thousands of ranks take their time.
  const { ranks } = attentionCase.parameters.partition;
  if (options.transport === 'threads') checkThreadNeeds(ranks, 0);
  if (options.transport === 'processes' && options.listen === undefined) {
    checkProcessNeeds(ranks, 0);
  }
  const shards = distribute(attentionCase, device === 'reference' ? 'f64' : 'f32');
  const schedules = passesOf(attentionCase, options.schedule ?? 'lv-xattn', options);
  const { results, log, ...rest } = await runRanks(shards, schedules, device, options);
  return { outputs: gather(attentionCase, results), log: inOrder(log), ...rest };
}

/** Runs LV-XAttn. */
export const runLvXattn = (attentionCase: AttentionCase, options: RunOptions): Promise<RunResult> =>
  run(attentionCase, { ...options, schedule: 'lv-xattn' });

/** Ends all threads and processes that wait for the next run. */
export async function closeWorkers(): Promise<void> {
  await Promise.all([closeThreads(), closeProcesses()]);
}
