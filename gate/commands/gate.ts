/**
 * `xattn gate`: a suite, its numbers and its order drawn from a seed, is put to a candidate, and the
 * report is printed and written.
 * @module
 */
import { type Candidate, type Started, suiteDtype } from '../candidate.ts';
import { writeAnswers } from '../keep.ts';
import { progressBar } from '../progress.ts';
import { isFailing, type Report } from '../report.ts';
import { linkLatest, runFolder, withAnswersAway } from '../run-folder.ts';
import { runSuite } from '../run-suite.ts';
import { type Direction, inDrawnOrder, nameFilter, type Shard, shardOf } from '../select.ts';
import { type SuiteCase, suite } from '../suite.ts';
import {
  checkWritable,
  conclude,
  nameOf,
  profileOf,
  reportOf,
  withCandidate,
  writeReports,
} from './judging.ts';
import { type CandidateOptions, candidateOf, drawnSeed, type SUITES } from './options.ts';

export interface GateOptions extends CandidateOptions {
  suite: (typeof SUITES)[number];
  direction: Direction;
  only?: string;
  /** Undefined = drawn. */
  seed?: number;
  require?: readonly string[];
  shard?: Shard;
  out: string;
  report?: string;
  junit?: string;
}

/** The options, and the seed that was given or drawn. */
type Seeded = GateOptions & { readonly seed: number };

function selected(cases: readonly SuiteCase[], options: GateOptions): SuiteCase[] {
  const named = cases.filter(({ id }) => nameFilter(options.only)(id));
  if (named.length === 0) {
    throw new RangeError(
      `"--only" expected a pattern that matches a case of the suite ${options.suite}, ` +
        `got ${options.only}; without it, every case is asked`,
    );
  }
  return shardOf(named, options.shard);
}

function askedFor(options: Seeded, dtype: string): string {
  const parts = [`suite ${options.suite}`, `${dtype} inputs`, `direction ${options.direction}`];
  if (options.only !== undefined) parts.push(`only ${options.only}`);
  if (options.shard) parts.push(`shard ${options.shard.index}/${options.shard.count}`);
  return [...parts, `seed ${options.seed}`].join(', ');
}

async function judged(
  candidate: Candidate,
  started: Started,
  options: Seeded,
  outDir: string,
): Promise<Report> {
  const begin = performance.now();
  const profile = profileOf(started, options);
  const dtype = suiteDtype(profile, started.ok ? started.hello.supports : new Set());
  const cases = selected(suite(options.suite, dtype, { seed: options.seed }), options);
  const bar = progressBar(cases.length);
  let failing = 0;
  const results = await runSuite(candidate, inDrawnOrder(cases, options.seed), {
    started,
    profile,
    direction: options.direction,
    allowDeclined: options.allowDeclined ?? false,
    required: options.require ?? [],
    outDir,
    onCase: (done, total, result) => {
      if (result !== null && isFailing(result)) failing++;
      bar.update(done, total, failing);
    },
  }).finally(bar.stop);
  const place = new Map(cases.map(({ id }, n) => [id, n]));
  results.sort((a, b) => (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0));
  return reportOf(results, options, {
    candidate: nameOf(started, options),
    profile,
    asked: askedFor(options, dtype),
    seed: options.seed,
    required: options.require ?? [],
    seconds: (performance.now() - begin) / 1000,
  });
}

export async function gateCommand(given: GateOptions): Promise<number> {
  const options = { ...given, seed: given.seed ?? drawnSeed() };
  checkWritable(options);
  selected(suite(options.suite, 'f32', { seed: options.seed }), options);
  process.stdout.write(
    `suite ${options.suite}, seed ${options.seed}: --seed repeats its numbers and its order\n`,
  );
  const candidate = await candidateOf(options);
  const outDir = runFolder(options.out);
  const report = await withAnswersAway(options.out, () =>
    withCandidate(candidate, (started) => judged(candidate, started, options, outDir)),
  );
  const kept = report.cases.flatMap((one) => one.kept ?? []);
  writeAnswers(kept);
  if (kept.length > 0) linkLatest(options.out, outDir);
  writeReports(report, options);
  return conclude(report, options.shard !== undefined);
}
