/**
 * `xattn gate`: a suite is put to a candidate, and the report is printed and written.
 * @module
 */
import { writeFileSync } from 'node:fs';
import pc from 'picocolors';
import { type Candidate, type Started, suiteDtype } from '../candidate.ts';
import { replayCommand } from '../keep.ts';
import { progressBar } from '../progress.ts';
import { jsonReport } from '../report/json.ts';
import { junitReport } from '../report/junit.ts';
import { textReport } from '../report/text.ts';
import { exitStatus, isFailing, judgedCount, type Report, summaryOf } from '../report.ts';
import { type CaseResult, runSuite } from '../run-suite.ts';
import { type Direction, nameFilter, type Shard, shardOf } from '../select.ts';
import { type SuiteCase, suite } from '../suite.ts';
import { type CandidateOptions, candidateOf, replayOptions, type SUITES } from './options.ts';

export interface GateOptions extends CandidateOptions {
  suite: (typeof SUITES)[number];
  direction: Direction;
  only?: string;
  seed: number;
  shard?: Shard;
  out: string;
  report?: string;
  junit?: string;
}

/** Run `use` with the started candidate; it never outlives this process. */
export async function withCandidate<T>(
  candidate: Candidate,
  use: (started: Started) => Promise<T>,
): Promise<T> {
  const kill = (): void => candidate.kill();
  const interrupt = (): void => process.exit(130);
  process.once('exit', kill);
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  try {
    return await use(await candidate.start());
  } finally {
    await candidate.close();
    process.removeListener('exit', kill);
    process.removeListener('SIGINT', interrupt);
    process.removeListener('SIGTERM', interrupt);
  }
}

/** A file that cannot be written is found out before the suite runs, not after. */
function checkWritable(file: string | undefined): void {
  if (file !== undefined) writeFileSync(file, '', { flag: 'a' });
}

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

function askedFor(options: GateOptions, dtype: string): string {
  const parts = [`suite ${options.suite}`, `${dtype} inputs`, `direction ${options.direction}`];
  if (options.only !== undefined) parts.push(`only ${options.only}`);
  if (options.shard) parts.push(`shard ${options.shard.index}/${options.shard.count}`);
  return [...parts, `seed ${options.seed}`].join(', ');
}

/** Results as a report; each kept case with the command that repeats it. */
export function reportOf(
  results: readonly CaseResult[],
  options: CandidateOptions,
  heading: Pick<Report, 'candidate' | 'profile' | 'asked' | 'seconds'>,
): Report {
  const cases = results.map((result) => ({
    ...result,
    replay: result.kept === null ? null : replayCommand(result.kept, replayOptions(options)),
  }));
  return { ...heading, cases, summary: summaryOf(cases) };
}

/** Print the report; the exit status. With nothing judged, nothing may look like a pass. */
export function conclude(report: Report, nothingIsFine: boolean): number {
  const color = process.stdout.isTTY === true && pc.isColorSupported;
  process.stdout.write(textReport(report, color));
  if (judgedCount(report.summary) === 0 && !nothingIsFine) {
    process.stderr.write(
      'xattn: no case was judged, so there is no verdict; ' +
        'ask for cases whose feature words the candidate supports\n',
    );
    return 2;
  }
  return exitStatus(report.summary);
}

async function judged(
  candidate: Candidate,
  started: Started,
  options: GateOptions,
): Promise<Report> {
  const begin = performance.now();
  const profile = options.profile ?? (started.ok ? started.hello.profile : 'f32');
  const dtype = suiteDtype(profile, started.ok ? started.hello.supports : new Set());
  const cases = selected(suite(options.suite, dtype, { seed: options.seed }), options);
  const bar = progressBar(cases.length);
  let failing = 0;
  const results = await runSuite(candidate, cases, {
    started,
    profile,
    direction: options.direction,
    outDir: options.out,
    onCase: (done, total, result) => {
      if (result !== null && isFailing(result)) failing++;
      bar.update(done, total, failing);
    },
  }).finally(bar.stop);
  return reportOf(results, options, {
    candidate: started.ok ? started.hello.name : (options.candidate ?? 'the embedded candidate'),
    profile,
    asked: askedFor(options, dtype),
    seconds: (performance.now() - begin) / 1000,
  });
}

export async function gateCommand(options: GateOptions): Promise<number> {
  for (const file of [options.report, options.junit]) checkWritable(file);
  selected(suite(options.suite, 'f32', { seed: options.seed }), options);
  const candidate = await candidateOf(options);
  const report = await withCandidate(candidate, (started) => judged(candidate, started, options));
  if (options.report !== undefined) writeFileSync(options.report, jsonReport(report));
  if (options.junit !== undefined) writeFileSync(options.junit, junitReport(report));
  return conclude(report, options.shard !== undefined);
}
