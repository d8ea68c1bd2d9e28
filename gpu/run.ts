/**
 * A schedule, run on a case: deal it out, run forward and backward, gather what it wants.
 * @module
 */

import { type AttentionCase, type Outputs, wantsGradients } from '../reference/case/case.ts';
import type { Shard } from './context.ts';
import { deviceOf, resolveDevice } from './device/choose.ts';
import type { Device } from './device/device.ts';
import { distribute, gather } from './distribute.ts';
import { inOrder, interpret, type Log, type RankEvent } from './interpreter.ts';
import { makeRank } from './rank.ts';
import type { RanksRun, RunOptions, Watching } from './run-options.ts';
import type { Schedule } from './schedule.ts';
import { DEALS_HEADS, SCHEDULES, type ScheduleName, SENDS_QUERIES } from './schedules/index.ts';
import type { MakeSchedule } from './schedules/parts.ts';
import { NO_FAULTS } from './transport/faults.ts';
import { checkProcessNeeds, checkThreadNeeds } from './transport/needs.ts';
import { closeThreads } from './transport/pool.ts';
import { closeProcesses, runProcesses } from './transport/processes-run.ts';
import { chooseBySeed, runSimulated } from './transport/simulated.ts';
import { runThreads } from './transport/threads-run.ts';

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

/** The passes that a case asks for: forward, and backward where it wants gradients. */
export function passesOf(
  { parameters, inputs }: AttentionCase,
  name: ScheduleName,
  sends: 'D' | 'O' = 'D',
): Schedule[] {
  if (sends === 'O' && !SENDS_QUERIES.includes(name)) {
    throw new RangeError(`"sends" O expected one of ${SENDS_QUERIES.join(', ')}, got ${name}`);
  }
  const options = {
    recompute: parameters.dim_y !== undefined,
    heads: parameters.heads,
    sends: sends === 'O' && inputs.d_lse !== undefined ? 'O, dLSE' : sends,
  } as const;
  const make: MakeSchedule = SCHEDULES[name];
  const forward = make(parameters.partition, 'forward', options);
  if (!wantsGradients(parameters)) return [forward];
  return [forward, make(parameters.partition, 'backward', options)];
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Every `size` blocks put together to one. */
function together(sizes: readonly number[], size: number): number[] {
  return Array.from({ length: sizes.length / size }, (_, n) =>
    sizes.slice(n * size, (n + 1) * size).reduce((sum, one) => sum + one, 0),
  );
}

/**
 * The case as a schedule can run it: where heads are dealt out and the case's ranks do not divide
 * them, neighbouring ranks are put together until they do. Another partition has the same answer.
 */
export function dealtFor(name: ScheduleName, attentionCase: AttentionCase): AttentionCase {
  const { parameters } = attentionCase;
  const { ranks, q, kv } = parameters.partition;
  if (!DEALS_HEADS.includes(name) || parameters.heads % ranks === 0) return attentionCase;
  const fewer = gcd(ranks, parameters.heads);
  const [dealtQ, dealtKv] = [together(q, ranks / fewer), together(kv, ranks / fewer)];
  const partition = { ranks: fewer, q: dealtQ, kv: dealtKv };
  return { ...attentionCase, parameters: { ...parameters, partition } };
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
  const schedules = passesOf(attentionCase, options.schedule ?? 'lv-xattn', options.sends);
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
