/**
 * `xattn replay`: one case folder is put to a candidate again.
 *
 * The candidate gets a copy that holds the question only, so neither an expectation nor outputs
 * that lie in the folder can be mistaken for its answer. Of a case that fails only after others, those
 * (`before/`) are asked first. The folder is left as it is.
 * @module
 */
import type { Started } from '../candidate.ts';
import { worldOf } from '../dealing.ts';
import { readBefore, replayCommand as replayLine } from '../keep.ts';
import { liveReport } from '../live-report.ts';
import { isFailing, type Report, type ReportedCase } from '../report.ts';
import { outOf, withAnswersAway } from '../run-folder.ts';
import {
  type CaseResult,
  NOT_REACHED,
  notReached,
  runSuite,
  withTemporaryFolder,
} from '../run-suite.ts';
import { ShownRun } from '../shown-run.ts';
import { conclude, NOT_STARTED, nameOf, profileOf, reportOf, withCandidate } from './judging.ts';
import {
  type CandidateOptions,
  candidateOf,
  replayOptions,
  type SampleOptions,
} from './options.ts';
import type { ReportOptions } from './report-options.ts';
import { openToJudge, sampleWords } from './sample.ts';

export interface ReplayOptions extends CandidateOptions, SampleOptions, ReportOptions {}

/** The folder is where the case is kept, wherever the answer of now lies. */
function reportedIn(folder: string, result: CaseResult, options: ReplayOptions): ReportedCase {
  const { kept, ...rest } = result;
  if (!isFailing(result)) return { ...result, kept: null, replay: null };
  const replay = replayLine(folder, { ...replayOptions(options), ...sampleWords(options) });
  return { ...rest, kept: folder, replay, ...(kept === null ? {} : { outputsIn: kept }) };
}

export async function replayCommand(folder: string, options: ReplayOptions): Promise<number> {
  const { question, sample, close } = openToJudge(folder, options);
  const before = sample === undefined ? readBefore(folder) : [];
  const begin = performance.now();
  const reported = (started: Started, all: readonly CaseResult[]): Report => ({
    ...reportOf(all, null, {
      candidate: nameOf(started, options),
      profile: profileOf(started, options),
      asked: `case folder ${folder}${before.length === 0 ? '' : `, after ${before.length} questions of ${folder}/before`}`,
      silent: !started.ok,
      seconds: (performance.now() - begin) / 1000,
    }),
    cases: all.map((one) => reportedIn(folder, one, options)),
  });
  const unreached = [notReached({ id: question.parameters.id, shows: null })];
  const soFar = () => ({ ...reported(NOT_STARTED, unreached), incomplete: NOT_REACHED });
  const live = liveReport(options, soFar, { hearsSignals: true });
  const shown = new ShownRun();
  const candidate = await candidateOf(options, [outOf(folder), folder], options);
  const asking = async (started: Started, stop: AbortSignal, answers: string) => {
    const cases = [...before, question].map((one) => ({
      ...{ id: one.parameters.id, shows: null },
      build: () => one,
    }));
    const all = await runSuite(candidate, cases, {
      started,
      profile: profileOf(started, options),
      direction: 'both',
      world: worldOf(started),
      outDir: options.html === undefined ? null : answers,
      allowDeclined: options.allowDeclined ?? false,
      functionals: options.functionals ?? false,
      stop,
      onCase: (_done, _total, result) => {
        if (result !== null && options.html !== undefined) shown.consider(candidate, result);
      },
      ...(sample === undefined ? {} : { sampling: { sample, from: folder } }),
    });
    const { timeline } = shown;
    const report = {
      ...reported(started, all.slice(before.length)),
      ...(timeline === undefined ? {} : { timeline }),
    };
    return stop.aborted ? { ...report, incomplete: NOT_REACHED, signal: stop.reason } : report;
  };
  return withTemporaryFolder(async (answers) => {
    const report = await withAnswersAway(folder, () =>
      withCandidate(candidate, (started, stop) => asking(started, stop, answers)),
    ).finally(close);
    return conclude(report, { live, github: options.github });
  });
}
