/**
 * `npm run bench:judge`: JSON lines about the judge, with the oracle's kernels and NumPy in the same run.
 *
 * `seconds`: the values of a whole case, the bounds of every element under a profile, and the verdict
 * on the right answer rounded to the case's dtype. `oracle_seconds`: the same values and their radii alone, by the
 * float64 kernels. `numpy_seconds`: NumPy's float64 answer and an `allclose` of each output; null where there is
 * no python3 with NumPy. All on as many threads; the best of some runs. `cpu_seconds` is the processor time of the
 * judge's best run, which a busy machine adds less to; `peak_bytes` the resident memory of a process that judges
 * one case, `tensor_bytes` what its inputs and outputs take in float64.
 *
 *   node dist/gate/bench/judge.js [--quick] [--only whole|small]
 * @module
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Option } from 'commander';
import type { AttentionCase, Dtype, Outputs } from '../../reference/case/case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { referenceOutputs } from '../../reference/definition/reference.ts';
import { certify } from '../../reference/kernels/float64/certify.ts';
import { roundTo } from '../../reference/numbers/format.ts';
import { type Tensor, tensorOf } from '../../reference/numbers/tensor.ts';
import { judge } from '../../reference/verdict/judge.ts';
import { suite } from '../suite.ts';
import { benchCase, type Direction, MEMORY, numpyRun, type Shape } from './cases.ts';
import { benchOptions } from './options.ts';

/** What one process measures. */
interface Job {
  readonly shape: Shape;
  readonly direction: Direction;
  readonly profile: Dtype;
  readonly threads: number;
  readonly runs: number;
}

interface Measurement {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly oracleSeconds: number;
  readonly tensorBytes: number;
  readonly peakBytes: number;
}

const line = (value: Record<string, unknown>): void => console.log(JSON.stringify(value));

/** A tensor as a candidate stores it. */
function stored(format: Dtype, { data, shape }: Tensor): NonNullable<GivenOutputs['out']> {
  const rounded = Float64Array.from(data as Float64Array, (x) => roundTo(format, x));
  return { dtype: format.toUpperCase(), tensor: tensorOf<number>(rounded, shape) };
}

const storedAll = (format: Dtype, outputs: Outputs): GivenOutputs =>
  Object.fromEntries(
    Object.entries(outputs).map(([name, tensor]) => [name, stored(format, tensor)]),
  );

const numbersOf = (outputs: Partial<Record<string, Tensor>>): number =>
  Object.values(outputs).reduce((sum, tensor) => sum + (tensor?.data.length ?? 0), 0);

const cpuSeconds = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
};

/** Measures in this process; what a run leaves behind is collected before the next. */
function measureHere({ shape, direction, profile, threads, runs }: Job): Measurement {
  const question = benchCase(shape, direction, profile);
  let oracleSeconds = Number.POSITIVE_INFINITY;
  let given: GivenOutputs = {};
  for (let run = 0; run < runs; run++) {
    globalThis.gc?.();
    const start = performance.now();
    const certified = certify(question, { threads });
    oracleSeconds = Math.min(oracleSeconds, (performance.now() - start) / 1000);
    const mids = Object.entries(certified).map(([name, { mid }]) => [name, mid]);
    given = storedAll(profile, Object.fromEntries(mids));
  }
  let [seconds, least] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let run = 0; run < runs; run++) {
    globalThis.gc?.();
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    const { verdict, reason } = judge(question, given, profile);
    seconds = Math.min(seconds, (performance.now() - start) / 1000);
    least = Math.min(least, cpuSeconds(cpu));
    if (verdict !== 'pass') throw new Error(`${verdict}: ${reason}`);
  }
  const outputs = Object.entries(given).map(([name, one]) => [name, one?.tensor]);
  const tensorBytes = 8 * (numbersOf(question.inputs) + numbersOf(Object.fromEntries(outputs)));
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  return { seconds, cpuSeconds: least, oracleSeconds, tensorBytes, peakBytes };
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

/** One shape, direction and profile, with NumPy after it. */
async function whole(shape: Shape, direction: Direction, profile: Dtype): Promise<void> {
  const [threads, runs] = [1, 3];
  const mine = await measure({ shape, direction, profile, threads, runs });
  const theirs = numpyRun(shape, direction, threads, { runs, check: true });
  line({
    ...{ bench: 'judge', ...shape, direction, profile, threads },
    ...{ seconds: mine.seconds, cpu_seconds: mine.cpuSeconds },
    oracle_seconds: mine.oracleSeconds,
    numpy_seconds: theirs?.seconds ?? null,
    ...{ peak_bytes: mine.peakBytes, tensor_bytes: mine.tensorBytes },
  });
}

/** The judge alone on every case of a suite, the reference's answer in its dtype; each the better of two. */
function small(profile: Dtype): void {
  const questions: AttentionCase[] = suite('core', profile, { seed: 1 }).map((one) => one.build());
  const given = questions.map((one) => storedAll(profile, referenceOutputs(one)));
  let [seconds, least] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let run = 0; run < 3; run++) {
    const [start, cpu] = [performance.now(), process.cpuUsage()];
    questions.forEach((one, n) => {
      judge(one, given[n] ?? {}, profile);
    });
    seconds = Math.min(seconds, (performance.now() - start) / 1000);
    least = Math.min(least, cpuSeconds(cpu));
  }
  const cases = questions.length;
  line({
    ...{ bench: 'judge-suite', suite: 'core', profile, cases, threads: 1 },
    ...{ seconds_per_case: seconds / cases, cpu_seconds_per_case: least / cases },
  });
}

const given = benchOptions<{ quick?: true; only?: 'whole' | 'small'; job?: string }>(
  'bench:judge',
  'What it takes to judge whole cases, beside the oracle and NumPy: JSON lines.',
  (command) =>
    command
      .option('--quick', 'without the largest cases')
      .addOption(new Option('--only <part>', 'only these').choices(['whole', 'small']))
      .addOption(new Option('--job <json>', 'one measurement, in this process').hideHelp()),
);

const DIRECTIONS = ['forward', 'both'] as const;
const SMALLER = { heads: 8, seq_q: 128, seq_kv: 512, head_dim: 64 };
const LARGER: readonly Shape[] = [
  { heads: 8, seq_q: 256, seq_kv: 2048, head_dim: 64 },
  { heads: 16, seq_q: 1024, seq_kv: 4096, head_dim: 128 },
];

if (given.job !== undefined) line({ ...measureHere(JSON.parse(given.job) as Job) });
else {
  if (given.only !== 'small') {
    for (const profile of ['f32', 'bf16'] as const) {
      for (const direction of DIRECTIONS) await whole(SMALLER, direction, profile);
    }
    for (const shape of given.quick ? LARGER.slice(0, 1) : LARGER) {
      for (const direction of DIRECTIONS) await whole(shape, direction, 'bf16');
    }
  }
  if (given.only !== 'whole') for (const profile of ['f32', 'bf16'] as const) small(profile);
}
