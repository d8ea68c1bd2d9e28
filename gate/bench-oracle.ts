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
import { Worker } from 'node:worker_threads';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { AttentionCase, OutputName } from '../reference/case.ts';
import { type FormatName, roundTo } from '../reference/format.ts';
import { type Certified, certify } from '../reference/kernels/certify.ts';
import { sharedArray } from '../reference/kernels/shared.ts';
import { tensorOf } from '../reference/tensor.ts';

interface Shape {
  readonly heads: number;
  readonly seq_q: number;
  readonly seq_kv: number;
  readonly head_dim: number;
}

type Direction = 'forward' | 'both';

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

/** Samples this process's resident memory from a thread while the kernels hold the main one. */
function memoryWatch() {
  const peak = new Int32Array(new SharedArrayBuffer(8));
  const body = `const { workerData: peak } = require('node:worker_threads');
    const look = () => {
      const kib = Math.round(process.memoryUsage.rss() / 1024);
      if (kib > Atomics.load(peak, 0)) Atomics.store(peak, 0, kib);
      if (Atomics.load(peak, 1) === 0) setTimeout(look, 10);
    };
    look();`;
  const watcher = new Worker(body, { eval: true, workerData: peak });
  watcher.unref();
  return {
    reset: () => Atomics.store(peak, 0, 0),
    peakBytes: () => Atomics.load(peak, 0) * 1024,
    stop: () => Atomics.store(peak, 1, 1),
  };
}

const elementsOf = (certified: Certified): number =>
  Object.values(certified).reduce((sum, { mid }) => sum + 2 * mid.data.length, 0);

function line(value: Record<string, unknown>): void {
  console.log(JSON.stringify(value));
}

interface Measurement {
  readonly seconds: number;
  /** Inputs and outputs (midpoints and radii). */
  readonly tensorBytes: number;
  readonly peakBytes: number;
}

function measure(
  shape: Shape,
  direction: Direction,
  threads: number,
  runs: number,
  watch: ReturnType<typeof memoryWatch>,
): Measurement {
  const attentionCase = benchCase(shape, direction);
  const inputs = Object.values(attentionCase.inputs).reduce((n, { data }) => n + data.length, 0);
  let [seconds, tensorBytes] = [Number.POSITIVE_INFINITY, 0];
  watch.reset();
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    const certified = certify(attentionCase, { threads });
    seconds = Math.min(seconds, (performance.now() - start) / 1000);
    tensorBytes = 8 * (inputs + elementsOf(certified));
  }
  return { seconds, tensorBytes, peakBytes: watch.peakBytes() };
}

/** Speed against NumPy on the shapes of the claim. */
function speed(quick: boolean, watch: ReturnType<typeof memoryWatch>): void {
  const shapes: Shape[] = quick
    ? [{ heads: 2, seq_q: 1024, seq_kv: 4096, head_dim: 128 }]
    : [
        { heads: 16, seq_q: 1024, seq_kv: 4096, head_dim: 128 },
        { heads: 16, seq_q: 256, seq_kv: 16384, head_dim: 128 },
      ];
  const runs = quick ? 3 : 2;
  for (const shape of shapes) {
    for (const direction of ['forward', 'both'] as const) {
      for (const threads of [1, 2]) {
        const ours = measure(shape, direction, threads, runs, watch);
        const numpy = numpySeconds(shape, direction, threads, runs);
        line({
          ...{ bench: 'oracle', ...shape, direction, system: 'float64', threads },
          seconds: ours.seconds,
          gflops: operations(shape, direction) / ours.seconds / 1e9,
          numpy_ratio: numpy === null ? null : numpy / ours.seconds,
          peak_bytes: ours.peakBytes,
          tensor_bytes: ours.tensorBytes,
        });
      }
    }
  }
}

/** Seconds over two decades of keys. */
function growthTable(watch: ReturnType<typeof memoryWatch>): void {
  for (const seq_kv of [1024, 4096, 16384, 65536, 102400]) {
    const shape = { heads: 1, seq_q: 128, seq_kv, head_dim: 128 };
    for (const direction of ['forward', 'both'] as const) {
      const { seconds } = measure(shape, direction, 1, 3, watch);
      const gflops = operations(shape, direction) / seconds / 1e9;
      line({ bench: 'oracle-growth', ...shape, direction, seconds, gflops });
    }
  }
}

/** Share of rows with an element that a format cannot round from its ball, and the radii. */
function balls(watch: ReturnType<typeof memoryWatch>): void {
  const shape = { heads: 2, seq_q: 512, seq_kv: 4096, head_dim: 128 };
  const certified = certify(benchCase(shape, 'both'));
  watch.stop();
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

const quick = process.argv.includes('--quick');
const only = process.argv[process.argv.indexOf('--only') + 1];
const chosen = (name: string): boolean => !process.argv.includes('--only') || only === name;
const watch = memoryWatch();
if (chosen('speed')) speed(quick, watch);
if (chosen('growth')) growthTable(watch);
if (chosen('balls')) balls(watch);
watch.stop();
