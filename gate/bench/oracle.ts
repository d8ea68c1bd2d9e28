/**
 * `npm run bench:oracle`: JSON lines about the oracle's kernels, with NumPy measured in the same run.
 *
 * Operations are counted as 4·heads·Sq·Skv·d forward and 14 forward and backward, for both alike,
 * whatever else is done for the certificate. `numpy_ratio` is our speed over NumPy's on as many
 * threads; null where there is no python3 with NumPy. `numpy_kernel` is the processor that NumPy's
 * OpenBLAS took its code for, which OPENBLAS_CORETYPE can change.
 *
 *   node dist/gate/bench/oracle.js [--quick] [--only speed|scaling|growth|features|balls]
 * @module
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type CertifiedDouble,
  certifyDouble,
} from '../../reference/kernels/double/double-certify.ts';
import { type Certified, certify } from '../../reference/kernels/float64/certify.ts';
import { type FormatName, roundTo } from '../../reference/numbers/format.ts';
import {
  benchCase,
  type Direction,
  MEMORY,
  type NumpyRun,
  numpyRun,
  operations,
  type Shape,
} from './cases.ts';

type System = 'float64' | 'double-double';

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
  /** Of the best run, and of the one in the middle. */
  readonly seconds: number;
  readonly median: number;
  /** Inputs and outputs (midpoints and radii). */
  readonly tensorBytes: number;
  /** Largest resident memory of the process. */
  readonly peakBytes: number;
}

/** Measures in this process. What a run leaves behind is collected before the next. */
function measureHere({ shape, direction, system, threads, runs }: Job): Measurement {
  const attentionCase = benchCase(shape, direction);
  const inputs = Object.values(attentionCase.inputs).reduce((n, { data }) => n + data.length, 0);
  const seconds: number[] = [];
  let tensorBytes = 0;
  for (let run = 0; run < runs; run++) {
    globalThis.gc?.();
    const start = performance.now();
    const outputs =
      system === 'float64'
        ? elementsOf(certify(attentionCase, { threads }))
        : doubleElements(certifyDouble(attentionCase, { threads }));
    seconds.push((performance.now() - start) / 1000);
    tensorBytes = 8 * (inputs + outputs);
  }
  seconds.sort((a, b) => a - b);
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  const median = seconds[Math.floor(runs / 2)] ?? 0;
  return { seconds: seconds[0] ?? 0, median, tensorBytes, peakBytes };
}

/** Measures in a process of its own, so that its memory is that of one case. */
async function measure(job: Job): Promise<Measurement> {
  const file = fileURLToPath(import.meta.url);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', file, '--job', JSON.stringify(job)],
    { env: { ...process.env, ...MEMORY } },
  );
  return JSON.parse(stdout) as Measurement;
}

/** The better of two measurements. */
const better = (a: Measurement, b: Measurement): Measurement => ({
  ...b,
  seconds: Math.min(a.seconds, b.seconds),
  peakBytes: Math.max(a.peakBytes, b.peakBytes),
});

/** One shape and direction, on one thread and on two, in turns with NumPy: others may load the machine. */
async function compare(
  shape: Shape,
  direction: Direction,
  system: System,
  rounds: number,
): Promise<void> {
  // The double-double kernels are for what float64 leaves open: one thread.
  const threads = system === 'float64' ? [1, 2] : [1];
  const ours: (Measurement | undefined)[] = [];
  const numpy: (NumpyRun | null)[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [n, count] of threads.entries()) {
      const now = await measure({ shape, direction, system, threads: count, runs: 2 });
      const before = ours[n];
      ours[n] = before === undefined ? now : better(before, now);
      const run = numpyRun(shape, direction, count, { runs: 2 });
      const best = numpy[n] ?? null;
      if (best === null || (run !== null && run.seconds < best.seconds)) numpy[n] = run;
    }
  }
  threads.forEach((count, n) => {
    const [mine, theirs] = [ours[n], numpy[n] ?? null];
    if (mine === undefined) return;
    line({
      ...{ bench: 'oracle', ...shape, direction, system, threads: count },
      seconds: mine.seconds,
      gflops: operations(shape, direction) / mine.seconds / 1e9,
      numpy_ratio: theirs === null ? null : theirs.seconds / mine.seconds,
      numpy_kernel: theirs?.kernel ?? null,
      peak_bytes: mine.peakBytes,
      tensor_bytes: mine.tensorBytes,
    });
  });
}

/**
 * Two threads against one, beside what the machine can do for two at most: two processes of one thread that
 * run together and share nothing. In the middle of three runs of each.
 */
async function scaling(): Promise<void> {
  const shape = { heads: 16, seq_q: 1024, seq_kv: 4096, head_dim: 128 };
  for (const direction of ['forward', 'both'] as const) {
    const job = { shape, direction, system: 'float64', runs: 3 } as const;
    const one = await measure({ ...job, threads: 1 });
    const two = await measure({ ...job, threads: 2 });
    const together = await Promise.all([1, 2].map(() => measure({ ...job, threads: 1 })));
    const each = together.reduce((sum, { median }) => sum + median, 0) / 2;
    line({
      ...{ bench: 'oracle-scaling', ...shape, direction },
      seconds_one: one.median,
      seconds_two: two.median,
      two_threads: one.median / two.median,
      two_processes: (2 * one.median) / each,
    });
  }
}

/** Speed against NumPy on the shapes of the claim. */
async function speed(quick: boolean): Promise<void> {
  const shapes: Shape[] = quick
    ? [{ heads: 2, seq_q: 1024, seq_kv: 4096, head_dim: 128 }]
    : [
        { heads: 16, seq_q: 1024, seq_kv: 4096, head_dim: 128 },
        { heads: 16, seq_q: 256, seq_kv: 16384, head_dim: 128 },
      ];
  for (const shape of shapes) {
    for (const direction of ['forward', 'both'] as const) {
      await compare(shape, direction, 'float64', 3);
    }
  }
  const double = { heads: 1, seq_q: 256, seq_kv: 2048, head_dim: 128 };
  for (const direction of ['forward', 'both'] as const) {
    await compare(double, direction, 'double-double', 3);
  }
}

/** Seconds over two decades of keys. */
async function growthTable(): Promise<void> {
  for (const seq_kv of [1024, 4096, 16384, 65536, 102400]) {
    const shape = { heads: 1, seq_q: 128, seq_kv, head_dim: 128 };
    for (const direction of ['forward', 'both'] as const) {
      const job = { shape, direction, system: 'float64', threads: 1, runs: 3 } as const;
      const { seconds } = await measure(job);
      const gflops = operations(shape, direction) / seconds / 1e9;
      line({ bench: 'oracle-growth', ...shape, direction, seconds, gflops });
    }
  }
}

/** Memory and seconds where K and V are recomputed. */
async function features(): Promise<void> {
  const shape = { heads: 8, seq_q: 256, seq_kv: 16384, head_dim: 128, dim_y: 1024 };
  for (const direction of ['forward', 'both'] as const) {
    for (const threads of [1, 2]) {
      const job = { shape, direction, system: 'float64', threads, runs: 1 } as const;
      const { seconds, peakBytes, tensorBytes } = await measure(job);
      const bytes = { peak_bytes: peakBytes, tensor_bytes: tensorBytes };
      line({ bench: 'oracle-features', ...shape, direction, threads, seconds, ...bytes });
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
  if (chosen('speed')) await speed(process.argv.includes('--quick'));
  if (chosen('scaling')) await scaling();
  if (chosen('growth')) await growthTable();
  if (chosen('features')) await features();
  if (chosen('balls')) balls();
}
