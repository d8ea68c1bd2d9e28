/**
 * `xattn gate`: a suite, its numbers and its order drawn from a seed, is put to a candidate, and the
 * report is printed and written.
 * @module
 */
import type { Dtype } from '../../reference/case/case.ts';
import { type History, traceMemory, untracedNote } from '../after-others.ts';
import { type Candidate, type Started, suiteDtype } from '../candidate.ts';
import { evenOver, worldOf } from '../dealing.ts';
import { diagnosed } from '../diagnosis/diagnosed.ts';
import { type Observer, observer } from '../diagnosis/kept-answers.ts';
import { fileSentence } from '../file-errors.ts';
import { unlessAborted } from '../interruption.ts';
import { writeAnswers } from '../keep.ts';
import { type LiveReport, liveReport } from '../live-report.ts';
import { progressBar } from '../progress.ts';
import { isFailing, type Report } from '../report.ts';
import { addRound } from '../rounds.ts';
import { linkLatest, runFolder, withAnswersAway } from '../run-folder.ts';
import {
  type CaseResult,
  NOT_REACHED,
  notReached,
  type RunOptions,
  runSuite,
} from '../run-suite.ts';
import { type Direction, inDrawnOrder, nameFilter, type Shard, shardOf } from '../select.ts';
import { ShownRun } from '../shown-run.ts';
import { type SuiteCase, suite } from '../suite.ts';
import {
  checkFolder,
  conclude,
  NOT_STARTED,
  nameOf,
  profileOf,
  reportOf,
  withCandidate,
} from './judging.ts';
import { type CandidateOptions, candidateOf, drawnSeed, type SUITES } from './options.ts';
import type { ReportOptions } from './report-options.ts';

export interface GateOptions extends CandidateOptions, ReportOptions {
  suite: (typeof SUITES)[number];
  direction: Direction;
  only?: string;
  /** Undefined = drawn. */
  seed?: number;
  require?: readonly string[];
  shard?: Shard;
  /** How often each case is asked. */
  repeat: number;
  out: string;
  all?: true;
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

/** A run of a suite, as far as it has come. */
interface Run {
  readonly begin: number;
  readonly options: Seeded;
  started: Started;
  /** Ids in the order of the suite, and cases in the order in which they are asked. */
  ids: readonly string[];
  cases: readonly SuiteCase[];
  /** How many of them are done with, and what came of them. */
  done: number;
  readonly results: CaseResult[];
  readonly shown: ShownRun;
  /** What the diagnosis is made of. */
  readonly seen: Observer;
  /** What else is to be said of the whole. */
  note?: string;
}

/** The input format of the suite: the best one that the candidate knows. */
function dtypeFor({ started, options }: Pick<Run, 'started' | 'options'>): Dtype {
  const supports = started.ok ? started.hello.supports : new Set<string>();
  return suiteDtype(profileOf(started, options), supports);
}

/** The cases for a candidate, and their order. */
function casesFor(run: Pick<Run, 'started' | 'options'>): Pick<Run, 'ids' | 'cases'> {
  const { options, started } = run;
  const building = {
    seed: options.seed,
    evenOver: started.ok ? evenOver(started.hello) : undefined,
  };
  const cases = selected(suite(options.suite, dtypeFor(run), building), options);
  return { ids: cases.map(({ id }) => id), cases: inDrawnOrder(cases, options.seed) };
}

/** What was found out so far, every other case as not reached; `why` it does not speak of all. */
function reportFrom(run: Run, why?: string): Report {
  const { begin, options, started, ids, cases, done, results } = run;
  const place = new Map(ids.map((id, n) => [id, n]));
  const all = [...results, ...cases.slice(done).map(notReached)];
  all.sort((a, b) => (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0));
  const report = reportOf(all, options, {
    candidate: nameOf(started, options),
    profile: profileOf(started, options),
    asked: askedFor(options, dtypeFor(run)),
    seed: options.seed,
    ...(options.shard === undefined ? {} : { shard: options.shard }),
    required: options.require ?? [],
    silent: !started.ok,
    seconds: (performance.now() - begin) / 1000,
  });
  const { timeline } = run.shown;
  const drawn = timeline === undefined ? report : { ...report, timeline };
  const noted = run.note === undefined ? drawn : { ...drawn, note: run.note };
  return why === undefined ? noted : { ...noted, incomplete: why };
}

/** The later rounds of a run, each in an order of its own; all that was asked, in order. */
async function askAgain(
  candidate: Candidate,
  { cases, results, options }: Run,
  live: LiveReport,
  asking: RunOptions,
): Promise<History> {
  const byId = new Map(results.map((result) => [result.id, result]));
  const turns = new Map(cases.map(({ id }, n) => [id, n]));
  const all = [...cases];
  for (let round = 2; round <= options.repeat && asking.stop?.aborted !== true; round++) {
    const order = inDrawnOrder(cases, options.seed + round);
    const bar = progressBar(order.length);
    const onCase: RunOptions['onCase'] = (done, total, again) => {
      const first = again === null ? undefined : byId.get(again.id);
      if (again !== null && first !== undefined && addRound(first, again, round)) {
        turns.set(again.id, all.length + done - 1);
      }
      live.changed();
      bar.update(done, total, results.filter(isFailing).length);
    };
    await runSuite(candidate, order, { ...asking, onCase }).finally(bar.stop);
    all.push(...order);
  }
  return { cases: all, turnOf: (id) => turns.get(id) ?? 0 };
}

/** Failing cases asked again; where that cannot be done, the verdicts stand as they are. */
async function traced(
  candidate: Candidate,
  history: History,
  run: Run,
  asking: RunOptions,
): Promise<void> {
  try {
    const left = await traceMemory(candidate, history, run.results, asking);
    if (left > 0) run.note = untracedNote(left);
  } catch (error) {
    process.stderr.write(`xattn: not every failing case was asked again: ${fileSentence(error)}\n`);
  }
}

async function judged(
  candidate: Candidate,
  { run, live, stop, outDir }: { run: Run; live: LiveReport; stop: AbortSignal; outDir: string },
): Promise<Report> {
  const { options, started } = run;
  Object.assign(run, casesFor(run));
  const bar = progressBar(run.cases.length);
  let failing = 0;
  const asking: RunOptions = {
    started,
    profile: profileOf(started, options),
    direction: options.direction,
    world: worldOf(started, { seed: options.seed, spreads: true }),
    allowDeclined: options.allowDeclined ?? false,
    functionals: options.functionals ?? false,
    required: options.require ?? [],
    outDir,
    stop,
    bits: options.repeat > 1,
    observe: run.seen.observe,
    onCase: (done, total, result) => {
      if (result !== null && isFailing(result)) failing++;
      if (result !== null) run.results.push(result);
      if (result !== null && options.html !== undefined) run.shown.consider(candidate, result);
      run.done = done;
      live.changed();
      bar.update(done, total, failing);
    },
  };
  await runSuite(candidate, run.cases, asking).finally(bar.stop);
  const history = await askAgain(candidate, run, live, asking);
  if (options.candidate !== undefined && !stop.aborted) {
    await unlessAborted(stop, traced(candidate, history, run, asking));
  }
  if (!stop.aborted) return reportFrom(run);
  return { ...reportFrom(run, NOT_REACHED), signal: stop.reason };
}

/** What was expected of the kept cases, beside them; a full disk costs these and no verdict. */
async function keepAnswers(report: Report, out: string, outDir: string): Promise<void> {
  const kept = report.cases.flatMap((one) => one.kept ?? []);
  try {
    await writeAnswers(kept);
    if (kept.length > 0) linkLatest(out, outDir);
  } catch (error) {
    process.stderr.write(`xattn: what was expected is not kept: ${fileSentence(error)}\n`);
  }
}

export async function gateCommand(given: GateOptions): Promise<number> {
  const options = { ...given, seed: given.seed ?? drawnSeed() };
  checkFolder('--out', options.out);
  const begin = performance.now();
  const asked = casesFor({ options, started: NOT_STARTED });
  const run: Run = {
    ...{ begin, options, started: NOT_STARTED, ...asked, done: 0, results: [] },
    ...{ shown: new ShownRun(), seen: observer() },
  };
  const soFar = () => reportFrom(run, 'the run has not come to its end');
  const live = liveReport(options, soFar, { hearsSignals: true });
  process.stdout.write(
    `suite ${options.suite}, seed ${options.seed}: --seed repeats its numbers and its order\n`,
  );
  const candidate = await candidateOf(options, [options.out], options);
  const outDir = runFolder(options.out);
  const report = await withAnswersAway(options.out, () =>
    withCandidate(candidate, (started, stop) => {
      run.started = started;
      return judged(candidate, { run, live, stop, outDir });
    }),
  );
  const status = conclude(await diagnosed(report, run.seen), {
    ...{ live, nothingIsFine: options.shard !== undefined },
    ...{ all: options.all, github: options.github },
  });
  await keepAnswers(report, options.out, outDir);
  return status;
}
