/**
 * `xattn replay`: one case folder is put to a candidate again.
 *
 * The candidate gets a copy that holds the question only, so neither an expectation nor outputs
 * that lie in the folder can be mistaken for its answer. Of a case that fails only after others, those
 * (`before/`) are asked first. The folder is left as it is.
 * @module
 */
import type { Started } from '../candidate.ts';
import { readBefore } from '../keep.ts';
import { outOf, withAnswersAway } from '../run-folder.ts';
import { runSuite } from '../run-suite.ts';
import { conclude, nameOf, profileOf, reportOf, withCandidate } from './judging.ts';
import { type CandidateOptions, candidateOf, type SampleOptions } from './options.ts';
import { openToJudge } from './sample.ts';

export interface ReplayOptions extends CandidateOptions, SampleOptions {}

export async function replayCommand(folder: string, options: ReplayOptions): Promise<number> {
  const { question, sample, close } = openToJudge(folder, options);
  const before = sample === undefined ? readBefore(folder) : [];
  const begin = performance.now();
  const candidate = await candidateOf(options, [outOf(folder), folder]);
  const asking = async (started: Started, stop: AbortSignal) => {
    const profile = profileOf(started, options);
    const cases = [...before, question].map((one) => ({
      ...{ id: one.parameters.id, shows: null },
      build: () => one,
    }));
    const all = await runSuite(candidate, cases, {
      started,
      profile,
      direction: 'both',
      outDir: null,
      allowDeclined: options.allowDeclined ?? false,
      stop,
      ...(sample === undefined ? {} : { sampling: { sample, from: folder } }),
    });
    const report = reportOf(all.slice(before.length), options, {
      candidate: nameOf(started, options),
      profile,
      asked: `case folder ${folder}${before.length === 0 ? '' : `, after ${before.length} questions of ${folder}/before`}`,
      silent: !started.ok,
      seconds: (performance.now() - begin) / 1000,
    });
    return stop.aborted ? { ...report, signal: stop.reason } : report;
  };
  const report = await withAnswersAway(folder, () => withCandidate(candidate, asking)).finally(
    close,
  );
  return conclude(report);
}
