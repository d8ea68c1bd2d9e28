/**
 * `npm run bench:oracle`: JSON lines about the oracle's kernels, with NumPy measured in the same run.
 *
 * Operations are counted as 4·heads·Sq·Skv·d forward and 14 forward and backward, for both alike,
 * whatever else is done for the certificate. `numpy_ratio` is our speed over NumPy's on as many
 * threads; null where there is no python3 with NumPy.
 *
 *   node dist/gate/bench-oracle.js [--quick] [--only speed|growth|balls]
 * @module
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { AttentionCase, OutputName } from '../reference/case.ts';
import { type FormatName, roundTo } from '../reference/format.ts';
import { type Certified, certify } from '../reference/kernels/certify.ts';
import { type CertifiedDouble, certifyDouble } from '../reference/kernels/double-certify.ts';
import { sharedArray } from '../reference/kernels/shared.ts';
import { tensorOf } from '../reference/tensor.ts';

interface Shape {
  readonly heads: number;
  readonly seq_q: number;
  readonly seq_kv: number;
  readonly head_dim: number;
}

type Direction = 'forward' | 'both';
type System = 'float64' | 'double-double';

/** Normal-like f32 values over shared memory, as a caller with threads would keep them. */
function values(seed: number, length: number): Float64Array {
  const generator = xoroshiro128plus(seed);
  const data = sharedArray(length);
  for (let n = 0; n < length; n++) {
    let sum = -6;
    for (let k = 0; k < 12; k++) sum += uniformFloat64(generator);
    data[n] = Math.fround(sum);
  }
  return data;
}

const pools = new Map<number, Float64Array>();

/** Values of a seed, drawn once and cut to size. */
function drawn(seed: number, length: number): Float64Array {
  const present = pools.get(seed);
  if (present !== undefined && present.length >= length) return present.subarray(0, length);
  const data = values(seed, length);
  pools.set(seed, data);
  return data;
}

function benchCase({ heads, seq_q, seq_kv, head_dim }: Shape, direction: Direction): AttentionCase {
  const rows = (seed: number, n: number) =>
    tensorOf<number>(drawn(seed, heads * n * head_dim), [1, heads, n, head_dim]);
  const wants: OutputName[] = ['out', 'lse'];
  if (direction === 'both') wants.push('d_q', 'd_k', 'd_v');
  return {
    parameters: {
      ...{ schema: 1, id: 'bench', dtype: 'f32', batch: 1, heads, kv_heads: heads, seq_q, seq_kv },
      ...{ head_dim, head_dim_v: head_dim, scale: Math.fround(1 / Math.sqrt(head_dim)) },
      ...{ softcap: 0, causal: 'none', window: null, media: null, dropout_rate: 0, wants },
      partition: { ranks: 1, q: [seq_q], kv: [seq_kv] },
    },
    inputs: {
      q: rows(1, seq_q),
      k: rows(2, seq_kv),
      v: rows(3, seq_kv),
      ...(direction === 'both' ? { d_out: rows(4, seq_q) } : {}),
    },
    judging: 'random',
  };
}

const operations = ({ heads, seq_q, seq_kv, head_dim }: Shape, direction: Direction): number =>
  (direction === 'both' ? 14 : 4) * heads * seq_q * seq_kv * head_dim;

/** Best of `runs` in NumPy, in seconds; null without NumPy. */
function numpySeconds(shape: Shape, direction: Direction, threads: number, runs: number) {
  const script = fileURLToPath(new URL('../../gate/bench-numpy.py', import.meta.url));
  const { status, stdout } = spawnSync(process.env.XATTN_PYTHON ?? 'python3', [script], {
    input: `${JSON.stringify({ ...shape, direction, runs })}\n`,
    env: {
      ...process.env,
      OPENBLAS_NUM_THREADS: String(threads),
      OMP_NUM_THREADS: String(threads),
    },
    encoding: 'utf8',
  });
  if (status !== 0) return null;
  return (JSON.parse(stdout) as { seconds: number }).seconds;
}

const elementsOf = (certified: Certified): number =>
  Object.values(certified).reduce((sum, { mid }) => sum + 2 * mid.data.length, 0);

const doubleElements = (certified: CertifiedDouble): number =>
  Object.values(certified).reduce((sum, { high }) => sum + 3 * high.length, 0);

function line(value: Record<string, unknown>): void {
  console.log(JSON.stringify(value));
}

/** What one process measures: a shape, a direction, a number of threads, the best of some runs. */
interface Job {
  readonly shape: Shape;
  readonly direction: Direction;
  readonly system: System;
  readonly threads: number;
  readonly runs: number;
}

interface Measurement {
  readonly seconds: number;
  /** Inputs and outputs (midpoints and radii). */
  readonly tensorBytes: number;
  /** Largest resident memory of the process. */
  readonly peakBytes: number;
}

/** Measures in this process. What a run leaves behind is collected before the next. */
function measureHere({ shape, direction, system, threads, runs }: Job): Measurement {
  const attentionCase = benchCase(shape, direction);
  const inputs = Object.values(attentionCase.inputs).reduce((n, { data }) => n + data.length, 0);
  let [seconds, tensorBytes] = [Number.POSITIVE_INFINITY, 0];
  for (let run = 0; run < runs; run++) {
    globalThis.gc?.();
    const start = performance.now();
    const outputs =
      system === 'float64'
        ? elementsOf(certify(attentionCase, { threads }))
        : doubleElements(certifyDouble(attentionCase));
    seconds = Math.min(seconds, (performance.now() - start) / 1000);
    tensorBytes = 8 * (inputs + outputs);
  }
  return { seconds, tensorBytes, peakBytes: process.resourceUsage().maxRSS * 1024 };
}

/**
 * Measures in a process of its own, so that its memory is that of one case. NumPy asks for huge pages
 * for its arrays; glibc does so for Node's when told to.
 */
function measure(job: Job): Measurement {
  const file = fileURLToPath(import.meta.url);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', file, '--job', JSON.stringify(job)],
    {
      env: { ...process.env, GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' },
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(`the measurement of ${JSON.stringify(job)} failed: ${stderr}`);
  return JSON.parse(stdout) as Measurement;
}

/** The better of two measurements. */
const better = (a: Measurement, b: Measurement): Measurement => ({
  seconds: Math.min(a.seconds, b.seconds),
  tensorBytes: b.tensorBytes,
  peakBytes: Math.max(a.peakBytes, b.peakBytes),
});

/** One shape and direction, on one thread and on two, in turns with NumPy: others may load the machine. */
function compare(shape: Shape, direction: Direction, system: System, rounds: number): void {
  // The double-double kernels are for what float64 leaves open: one thread.
  const threads = system === 'float64' ? [1, 2] : [1];
  const ours: (Measurement | undefined)[] = [];
  const numpy: (number | null)[] = threads.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++) {
    threads.forEach((count, n) => {
      const now = measure({ shape, direction, system, threads: count, runs: 2 });
      const before = ours[n];
      ours[n] = before === undefined ? now : better(before, now);
      const seconds = numpySeconds(shape, direction, count, 2);
      const best = numpy[n] ?? null;
      numpy[n] = seconds === null || best === null ? null : Math.min(best, seconds);
    });
  }
  threads.forEach((count, n) => {
    const [mine, theirs] = [ours[n], numpy[n] ?? null];
    if (mine === undefined) return;
    line({
      ...{ bench: 'oracle', ...shape, direction, system, threads: count },
      seconds: mine.seconds,
      gflops: operations(shape, direction) / mine.seconds / 1e9,
      numpy_ratio: theirs === null ? null : theirs / mine.seconds,
      peak_bytes: mine.peakBytes,
      tensor_bytes: mine.tensorBytes,
    });
  });
}

/** Speed against NumPy on the shapes of the claim. */
function speed(quick: boolean): void {
  const shapes: Shape[] = quick
    ? [{ heads: 2, seq_q: 1024, seq_kv: 4096, head_dim: 128 }]
    : [
        { heads: 16, seq_q: 1024, seq_kv: 4096, head_dim: 128 },
        { heads: 16, seq_q: 256, seq_kv: 16384, head_dim: 128 },
      ];
  for (const shape of shapes) {
    for (const direction of ['forward', 'both'] as const) {
      compare(shape, direction, 'float64', 3);
    }
  }
  const double = { heads: 1, seq_q: 256, seq_kv: 2048, head_dim: 128 };
  for (const direction of ['forward', 'both'] as const) {
    compare(double, direction, 'double-double', 3);
  }
}

/** Seconds over two decades of keys. */
function growthTable(): void {
  for (const seq_kv of [1024, 4096, 16384, 65536, 102400]) {
    const shape = { heads: 1, seq_q: 128, seq_kv, head_dim: 128 };
    for (const direction of ['forward', 'both'] as const) {
      const { seconds } = measure({ shape, direction, system: 'float64', threads: 1, runs: 3 });
      const gflops = operations(shape, direction) / seconds / 1e9;
      line({ bench: 'oracle-growth', ...shape, direction, seconds, gflops });
    }
  }
}

/** Share of rows with an element that a format cannot round from its ball, and the radii. */
function balls(): void {
  const shape = { heads: 2, seq_q: 512, seq_kv: 4096, head_dim: 128 };
  const certified = certify(benchCase(shape, 'both'));
  for (const [name, { mid, radius }] of Object.entries(certified)) {
    const width = mid.shape[3] ?? 1;
    const count = mid.data.length;
    const histogram: Record<string, number> = {};
    for (let n = 0; n < count; n++) {
      const share = (radius.data[n] ?? 0) / Math.abs(mid.data[n] ?? 0);
      const key = share < 1 ? `1e${Math.ceil(Math.log10(share))}` : '1 or more';
      histogram[key] = (histogram[key] ?? 0) + 1;
    }
    const escalated: Record<string, number> = {};
    for (const format of ['f32', 'bf16', 'f16'] as FormatName[]) {
      const rows = new Set<number>();
      for (let n = 0; n < count; n++) {
        const [x, r] = [mid.data[n] ?? 0, radius.data[n] ?? 0];
        if (roundTo(format, x - r) !== roundTo(format, x + r)) rows.add(Math.floor(n / width));
      }
      escalated[format] = rows.size / (count / width);
    }
    line({ bench: 'oracle-balls', ...shape, output: name, histogram, rows_escalated: escalated });
  }
}

const argument = (name: string): string | undefined =>
  process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined;
const job = argument('--job');
if (job !== undefined) line({ ...measureHere(JSON.parse(job) as Job) });
else {
  const only = argument('--only');
  const chosen = (name: string): boolean => only === undefined || only === name;
  if (chosen('speed')) speed(process.argv.includes('--quick'));
  if (chosen('growth')) growthTable();
  if (chosen('balls')) balls();
}
