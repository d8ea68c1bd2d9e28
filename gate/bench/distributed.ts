/**
 * `npm run bench:distributed`: JSON lines. LV-XAttn on worker threads, one rank against two on the
 * same case, in turns; each line is of the fastest of its runs, and gives its ratio to one rank.
 *
 * Seconds of a pass are from the first operation of any rank to the last one's end, by the ranks'
 * own clocks: threads are there, and what they are dealt. `whole_s` is with dealing out and gathering,
 * `start_s` what a first run on new threads takes that has next to nothing to compute.
 * @module
 */
import { availableParallelism, loadavg } from 'node:os';
import { InvalidArgumentError } from 'commander';
import type { Shard } from '../../gpu/context.ts';
import { heldOfEqual } from '../../gpu/costs/held.ts';
import { AS_RUN } from '../../gpu/costs/workload.ts';
import { type DeviceName, resolveDevice } from '../../gpu/device/choose.ts';
import { distribute, gather } from '../../gpu/distribute.ts';
import type { RankEvent } from '../../gpu/interpreter.ts';
import { closeWorkers, passesOf } from '../../gpu/run.ts';
import type { RanksRun } from '../../gpu/run-options.ts';
import type { Direction } from '../../gpu/schedule.ts';
import { runThreads } from '../../gpu/transport/threads-run.ts';
import type { AttentionCase } from '../../reference/case/case.ts';
import { drawCase } from '../../reference/case/draw-case.ts';
import { DEVICES, positiveNumber } from '../commands/options.ts';
import { digits } from './gate-speed.ts';
import { benchOptions } from './options.ts';

interface Given {
  readonly seqQ: number;
  readonly seqKv: number;
  readonly heads: number;
  readonly headDim: number;
  readonly repeats: number;
  readonly device: readonly DeviceName[];
}

/** Names of devices, apart by commas. */
function devices(text: string): DeviceName[] {
  return text.split(',').map((given) => {
    const name = DEVICES.find((one) => one === given);
    if (name === undefined) {
      throw new InvalidArgumentError(`Expected some of ${DEVICES.join(',')}.`);
    }
    return name;
  });
}

const given = benchOptions<Given>(
  'bench:distributed',
  'LV-XAttn on worker threads, one rank against two on the same case: JSON lines.',
  (command) =>
    command
      .option('--seq-q <n>', 'queries', positiveNumber, 512)
      .option('--seq-kv <n>', 'keys', positiveNumber, 16384)
      .option('--heads <n>', 'heads', positiveNumber, 8)
      .option('--head-dim <n>', 'numbers a head', positiveNumber, 64)
      .option('--repeats <n>', 'runs of each, of which the fastest counts', positiveNumber, 2)
      .option('--device <names>', 'what computes', devices, ['webasm', 'reference']),
);
const SIZES = {
  seq_q: given.seqQ,
  seq_kv: given.seqKv,
  heads: given.heads,
  head_dim: given.headDim,
};
const REPEATS = given.repeats;
const RANKS = [1, 2] as const;
type Ranks = (typeof RANKS)[number];

function caseOf(ranks: number, sizes: typeof SIZES): AttentionCase {
  const { seq_q, seq_kv, heads, head_dim } = sizes;
  const blocks = (total: number) =>
    Array.from({ length: ranks }, (_, n) => Math.floor((total + n) / ranks));
  return drawCase(1, {
    ...{ id: 'bench', heads, kv_heads: heads, seq_q, seq_kv, head_dim, head_dim_v: head_dim },
    scale: Math.fround(1 / Math.sqrt(head_dim)),
    partition: { ranks, q: blocks(seq_q), kv: blocks(seq_kv) },
  });
}

interface PassTimes {
  readonly seconds: number;
  /** Of the rank that has most of it: everything but kernels, waiting too. */
  readonly overhead: number;
}

interface Measured {
  readonly passes: Readonly<Record<Direction, PassTimes>>;
  readonly whole_s: number;
  readonly backend: string;
  readonly peak: number;
  readonly rss: number;
  readonly keysHeld: number;
}

function timesOf(log: readonly RankEvent[], direction: Direction, ranks: number): PassTimes {
  const events = log.filter((event) => event.direction === direction);
  const spanOf = (some: readonly RankEvent[]): number =>
    some.reduce((end, { at }) => Math.max(end, at?.[1] ?? 0), 0) -
    some.reduce((begin, { at }) => Math.min(begin, at?.[0] ?? 0), Number.POSITIVE_INFINITY);
  const shares = Array.from({ length: ranks }, (_, rank) => {
    const own = events.filter((event) => event.rank === rank);
    return 1 - own.reduce((sum, { kernel_s }) => sum + (kernel_s ?? 0), 0) / spanOf(own);
  });
  return { seconds: spanOf(events), overhead: Math.max(...shares) };
}

/** Bytes of the memory that K and V lie in, each piece of it once; a copy a rank would show. */
function keyBytes(shards: readonly Shard[]): number {
  const memory = new Set(shards.flatMap(({ k, v }) => [k.buffer, v.buffer]));
  for (const one of memory) {
    if (!(one instanceof SharedArrayBuffer)) throw new Error('K and V expected shared memory');
  }
  return [...memory].reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** One run, and how much memory the process took for it at most. */
async function measure(question: AttentionCase, name: DeviceName): Promise<Measured> {
  const device = resolveDevice(name);
  const before = process.memoryUsage.rss();
  let most = before;
  const sampling = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 20);
  const begun = performance.now();
  const shards = distribute(question, device === 'reference' ? 'f64' : 'f32');
  const ran: RanksRun = await runThreads(shards, passesOf(question, 'lv-xattn'), device, {
    timing: true,
    timeoutMs: 600_000,
  });
  gather(question, ran.results);
  const whole_s = (performance.now() - begun) / 1000;
  clearInterval(sampling);
  const { ranks } = question.parameters.partition;
  const times = (direction: Direction) => timesOf(ran.log, direction, ranks);
  return {
    passes: { forward: times('forward'), backward: times('backward') },
    whole_s,
    backend: ran.backend,
    peak: Math.max(...ran.peakBytes),
    rss: most - before,
    keysHeld: keyBytes(shards),
  };
}

const print = (line: Record<string, unknown>): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`);
};

const least = (numbers: readonly number[]): number => Math.min(...numbers);

/** Multiplications and additions of the matrix products: 2 forward, 5 backward. */
function gflops(direction: Direction, seconds: number): number {
  const { seq_q, seq_kv, heads, head_dim } = SIZES;
  const products = direction === 'forward' ? 2 : 5;
  return digits((2 * products * heads * seq_q * seq_kv * head_dim) / seconds / 1e9);
}

function formulaBytes(ranks: number, element_bytes: number): number {
  const { seq_q, seq_kv, heads, head_dim } = SIZES;
  const width = heads * head_dim;
  const w = {
    ...{ ranks, ranks_per_node: ranks, seq_q, seq_kv, heads, kv_heads: heads, head_dim },
    ...{ hidden: width, visual_dim: width, element_bytes, scalar_bytes: element_bytes },
  };
  return Math.max(
    ...(['forward', 'backward'] as const).map((pass) => heldOfEqual('lv-xattn', pass, w, AS_RUN)),
  );
}

function lineOf(
  [device, ranks, direction]: readonly [DeviceName, Ranks, Direction],
  of: Readonly<Record<Ranks, readonly Measured[]>>,
  start_s: number,
): Record<string, unknown> {
  const runs = of[ranks];
  const secondsOf = (some: readonly Measured[]) =>
    least(some.map(({ passes }) => passes[direction].seconds));
  const seconds = secondsOf(runs);
  const bytes = device === 'reference' ? 8 : 4;
  const peak = Math.max(...runs.map((run) => run.peak));
  const formula = formulaBytes(ranks, bytes);
  const { seq_kv, heads, head_dim } = SIZES;
  return {
    bench: `lv-xattn ${direction}, ${ranks} rank${ranks === 1 ? '' : 's'} on threads`,
    backend: runs[0]?.backend,
    seconds: digits(seconds),
    gflops: gflops(direction, seconds),
    ratio: digits(secondsOf(of[1]) / seconds),
    against: '1 rank, in turns with it',
    overhead: digits(least(runs.map(({ passes }) => passes[direction].overhead))),
    start_s: digits(start_s),
    whole_s: digits(least(runs.map(({ whole_s }) => whole_s))),
    kv_bytes: 2 * seq_kv * heads * head_dim * bytes,
    kv_bytes_held: runs[0]?.keysHeld,
    peak_bytes: peak,
    peak_to_formula: digits(peak / formula),
    rss_bytes: Math.max(...runs.map(({ rss }) => rss)),
  };
}

async function benchDevice(device: DeviceName): Promise<void> {
  const small = { seq_q: 4, seq_kv: 8, heads: 1, head_dim: 4 };
  const starts: Record<Ranks, number> = { 1: 0, 2: 0 };
  for (const ranks of RANKS) {
    await closeWorkers();
    starts[ranks] = (await measure(caseOf(ranks, small), device)).whole_s;
  }
  const questions = { 1: caseOf(1, SIZES), 2: caseOf(2, SIZES) };
  const measured: Record<Ranks, Measured[]> = { 1: [], 2: [] };
  for (let n = 0; n < REPEATS; n++) {
    for (const ranks of RANKS) measured[ranks].push(await measure(questions[ranks], device));
  }
  for (const ranks of RANKS) {
    for (const direction of ['forward', 'backward'] as const) {
      print(lineOf([device, ranks, direction], measured, starts[ranks]));
    }
  }
}

const { seq_q, seq_kv, heads, head_dim } = SIZES;
const machine = { cores: availableParallelism(), load: loadavg().map(digits) };
print({
  bench: 'lv-xattn on threads',
  seq_q,
  seq_kv,
  heads,
  head_dim,
  repeats: REPEATS,
  ...machine,
});
for (const device of given.device) await benchDevice(device);
await closeWorkers();
