/**
 * `npm run bench`: JSON lines. Each measures one thing, and gives its ratio to an alternative
 * measured in the same run, so that lines from different machines can be compared.
 * @module
 */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { runLvXattn } from '../../gpu/run.ts';
import type { AttentionCase, OutputName } from '../../reference/case/case.ts';
import { validateCase } from '../../reference/case/validate.ts';
import { referenceOutputs } from '../../reference/definition/reference.ts';
import { tensorOf } from '../../reference/numbers/tensor.ts';
import { judge } from '../../reference/verdict/judge.ts';
import { embeddedCandidate } from '../candidates/embedded.ts';
import { runSuite } from '../run-suite.ts';
import { suite } from '../suite.ts';
import { type PlainShape, plainBackward, plainForward } from './baseline.ts';
import { digits, gateSpeedLine } from './gate-speed.ts';

const SHAPE: PlainShape = { heads: 4, seq_q: 128, seq_kv: 256, dim: 64 };
const SEED = 1;

/** Shared by the plain loops and the case: one set of numbers. */
function inputs() {
  const { heads, seq_q, seq_kv, dim } = SHAPE;
  const random = xoroshiro128plus(SEED);
  const draw = (rows: number): Float64Array =>
    Float64Array.from({ length: heads * rows * dim }, () =>
      Math.fround(2 * uniformFloat64(random) - 1),
    );
  return { q: draw(seq_q), k: draw(seq_kv), v: draw(seq_kv), d_out: draw(seq_q) };
}

function benchCase(gradients: boolean): AttentionCase {
  const { heads, seq_q, seq_kv, dim } = SHAPE;
  const { q, k, v, d_out } = inputs();
  const forward: OutputName[] = ['out', 'lse'];
  const backward: OutputName[] = gradients ? ['d_q', 'd_k', 'd_v'] : [];
  const rows = (data: Float64Array) =>
    tensorOf<number>(data, [1, heads, data.length / heads / dim, dim]);
  const parameters = {
    schema: 1,
    id: 'bench',
    dtype: 'f32',
    batch: 1,
    heads,
    kv_heads: heads,
    seq_q,
    seq_kv,
    head_dim: dim,
    head_dim_v: dim,
    scale: 1 / Math.sqrt(dim),
    softcap: 0,
    causal: 'none',
    window: null,
    media: null,
    dropout_rate: 0,
    wants: [...forward, ...backward],
    partition: { ranks: 2, q: [seq_q / 2, seq_q / 2], kv: [seq_kv / 2, seq_kv / 2] },
  };
  const given = { q: rows(q), k: rows(k), v: rows(v) };
  return validateCase(parameters, gradients ? { ...given, d_out: rows(d_out) } : given, 'random');
}

/** Floating-point operations of the matrix products: 2 forward, 5 more backward. */
function flops(gradients: boolean): number {
  const { heads, seq_q, seq_kv, dim } = SHAPE;
  return 2 * heads * seq_q * seq_kv * dim * (gradients ? 7 : 2);
}

const MEASURED_S = 0.7;

/** Seconds of one run: the fastest of as many as fit, after one that is not counted. */
async function secondsOf(run: () => unknown): Promise<number> {
  await run();
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + MEASURED_S * 1000;
  do {
    const begin = performance.now();
    await run();
    best = Math.min(best, (performance.now() - begin) / 1000);
  } while (performance.now() < end);
  return best;
}

function print(line: Record<string, string | number>): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function benchReference(gradients: boolean): Promise<number> {
  const question = benchCase(gradients);
  const { q, k, v, d_out } = inputs();
  const plain = gradients
    ? () => plainBackward(SHAPE, q, k, v, d_out)
    : () => plainForward(SHAPE, q, k, v);
  const [reference, alternative] = [
    await secondsOf(() => referenceOutputs(question)),
    await secondsOf(plain),
  ];
  print({
    bench: `reference ${gradients ? 'forward and backward' : 'forward'}`,
    gflops: digits(flops(gradients) / reference / 1e9),
    ratio: digits(alternative / reference),
    against: 'plain loops in float64',
  });
  return reference;
}

async function benchEmbedded(gradients: boolean, reference: number): Promise<void> {
  const question = benchCase(gradients);
  for (const device of ['webasm', 'cpu'] as const) {
    const { backend } = await runLvXattn(question, { transport: 'threads', device });
    const seconds = await secondsOf(() => runLvXattn(question, { transport: 'threads', device }));
    print({
      bench: `embedded ${gradients ? 'forward and backward' : 'forward'}, 2 ranks on threads`,
      backend,
      gflops: digits(flops(gradients) / seconds / 1e9),
      ratio: digits(reference / seconds),
      against: 'the reference',
    });
  }
}

/** Whole cases, from the suite to the verdict, and the judge's part of that. */
async function benchJudging(): Promise<void> {
  const cases = suite('smoke', 'f32', { seed: SEED });
  const candidate = embeddedCandidate({
    transport: 'threads',
    device: 'auto',
    timeoutMs: 60_000,
  });
  const started = await candidate.start();
  const begin = performance.now();
  const results = await runSuite(candidate, cases, {
    started,
    profile: 'f32',
    direction: 'both',
    outDir: null,
  });
  const whole = (performance.now() - begin) / 1000;
  await candidate.close();
  const questions = cases.map((one) => one.build());
  const answers = questions.map((question) => referenceOutputs(question));
  const judging = performance.now();
  questions.forEach((question, i) => {
    const given = Object.entries(answers[i] ?? {}).map(([name, tensor]) => [
      name,
      { dtype: 'F64', tensor },
    ]);
    judge(question, Object.fromEntries(given), 'f32');
  });
  const alone = (performance.now() - judging) / 1000;
  print({
    bench: 'smoke suite, embedded candidate, cases judged per second',
    cases_per_second: digits(results.length / whole),
    ratio: digits(alone / whole),
    against: 'the judge alone on the same cases',
  });
}

// Small cases, one after another, as `xattn fuzz` puts them to a candidate that costs little.
for (const profile of ['f32', 'f64'] as const) print(await gateSpeedLine(profile, SEED));
for (const gradients of [false, true]) {
  await benchEmbedded(gradients, await benchReference(gradients));
}
await benchJudging();
process.exit(0);
