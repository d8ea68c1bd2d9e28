/**
 * LV-XAttn, run on a case: deal it out, run forward and backward, gather what it wants.
 * @module
 */
import { type AttentionCase, type Outputs, wantsGradients } from '../reference/case.ts';
import { elementCount } from '../reference/tensor.ts';
import { type DeviceName, deviceOf, resolveDevice } from './device/choose.ts';
import { distribute, gather } from './distribute.ts';
import { interpret, type Log, type RankEvent } from './interpreter.ts';
import { messageCapacity } from './message-layout.ts';
import { makeRank, type RankResult, type Shard } from './rank.ts';
import type { Schedule } from './schedule.ts';
import { lvXattnSchedule } from './schedules/lv-xattn.ts';
import { flattenInputs } from './transport/job.ts';
import { checkThreadNeeds } from './transport/needs.ts';
import { runJobs } from './transport/pool.ts';
import { interleave, simulatedTransport } from './transport/simulated.ts';
import { mailboxesBytes, makeMailboxes } from './transport/threads.ts';

export const TRANSPORT_NAMES = ['simulated', 'threads'] as const;
export type TransportName = (typeof TRANSPORT_NAMES)[number];

export interface RunOptions {
  readonly transport: TransportName;
  readonly device: DeviceName;
  /** Interleaving of the simulated transport. */
  readonly seed?: number;
  /** How long a rank may wait for a message, milliseconds. */
  readonly timeoutMs?: number;
  /** Whether the log shows what the buffers held, hashes included; no by default, for it takes time. */
  readonly observing?: boolean;
}

export interface RunResult {
  /** What the case wants; f32 numbers on GPU.js devices. */
  readonly outputs: Outputs;
  /** The backend that really ran, the same on every rank. */
  readonly backend: string;
  /** Every operation that happened, in an order in which they could have happened one at a time. */
  readonly log: readonly RankEvent[];
}

/** What each way of running hands back, by rank. */
interface RankRun {
  readonly results: readonly RankResult[];
  readonly backend: string;
  readonly log: readonly RankEvent[];
}

let jobs = 0;

function schedulesOf({ parameters }: AttentionCase): Schedule[] {
  const options = { recompute: parameters.dim_y !== undefined };
  const forward = lvXattnSchedule(parameters.partition, 'forward', options);
  if (!wantsGradients(parameters)) return [forward];
  return [forward, lvXattnSchedule(parameters.partition, 'backward', options)];
}

/** Runs passes one straight after another on ranks that are new, interleaved by the seed. */
export function runSimulated(
  shards: readonly Shard[],
  schedules: readonly Schedule[],
  device: ReturnType<typeof resolveDevice>,
  { seed = 0, observing = false }: Pick<RunOptions, 'seed' | 'observing'>,
): RankRun {
  const log: Log = { events: [], observing };
  const machine = deviceOf(device);
  const ranks = shards.map((shard) => makeRank(shard, machine));
  const transport = simulatedTransport();
  interleave(
    ranks.map((rank, n) => interpret(rank, n, schedules, transport, log)),
    seed,
  );
  const results = ranks.map((rank) => rank.result());
  return { results, backend: machine.backend, log: log.events };
}

/** Bytes of the ranks' inputs, which every thread holds a copy of its part of. */
function bytesOf(shards: readonly Shard[]): number {
  const tensors = shards.flatMap(({ inputs }) => Object.values(inputs));
  return tensors.reduce((sum, { shape }) => sum + 8 * elementCount(shape), 0);
}

async function runThreads(
  shards: readonly Shard[],
  schedules: readonly Schedule[],
  device: ReturnType<typeof resolveDevice>,
  { timeoutMs = 60_000, observing = false }: Pick<RunOptions, 'timeoutMs' | 'observing'>,
): Promise<RankRun> {
  const capacity = Math.max(0, ...shards.map(({ parameters }) => messageCapacity(parameters)));
  const width = device === 'reference' ? 8 : 4;
  checkThreadNeeds(shards.length, mailboxesBytes(shards.length, width, capacity) + bytesOf(shards));
  const mailboxes = makeMailboxes(shards.length, width, capacity);
  jobs++;
  const answers = await runJobs(
    shards.map((shard) => {
      const { inputs: _, ...plain } = shard;
      return {
        id: jobs,
        device,
        shard: plain,
        inputs: flattenInputs(shard),
        schedules,
        mailboxes,
        timeoutMs,
        observing,
      };
    }),
  );
  const [first] = answers;
  if (first === undefined) throw new Error('a case expected at least one rank');
  return {
    results: answers.map(({ result }) => result),
    backend: first.backend,
    log: answers.flatMap(({ log }) => log),
  };
}

/** Runs LV-XAttn on a validated case. Throws when a backend is not the one asked for. */
export async function runLvXattn(
  attentionCase: AttentionCase,
  options: RunOptions,
): Promise<RunResult> {
  const device = resolveDevice(options.device);
  const shards = distribute(attentionCase, device === 'reference' ? 'f64' : 'f32');
  const schedules = schedulesOf(attentionCase);
  const { results, backend, log } =
    options.transport === 'threads'
      ? await runThreads(shards, schedules, device, options)
      : runSimulated(shards, schedules, device, options);
  return {
    outputs: gather(attentionCase, results),
    backend,
    log: [...log].sort((a, b) => a.order - b.order),
  };
}

export { closeWorkers } from './transport/pool.ts';
