/**
 * What every command that judges does alike: the candidate's life, the report, the exit status.
 * @module
 */

import { existsSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pc from 'picocolors';
import { PROFILES, type Profile } from '../../reference/bounds/lemmas/profile.ts';
import type { Candidate, Started } from '../candidate.ts';
import { fileSentence } from '../file-errors.ts';
import { hearing, statusOf, unlessAborted } from '../interruption.ts';
import { replayCommand } from '../keep.ts';
import type { LiveReport } from '../live-report.ts';
import { githubReport, quietly } from '../report/github.ts';
import { textReport } from '../report/text.ts';
import { exitStatus, judgedCount, type Report, summaryOf, unjudgedWords } from '../report.ts';
import { type CaseResult, NOT_REACHED } from '../run-suite.ts';
import { printable, WIDTH } from '../text.ts';
import { version } from '../version.ts';
import { type CandidateOptions, replayOptions } from './options.ts';

/** The precision to judge at: the one asked for, or the one declared. */
export const profileOf = (started: Started, { profile }: CandidateOptions): Profile =>
  profile ?? (started.ok ? started.hello.profile : PROFILES.f32);

export const nameOf = (started: Started, { candidate }: CandidateOptions): string =>
  started.ok ? started.hello.name : printable(candidate ?? 'the embedded candidate', 200);

/** Before the candidate was started. */
export const NOT_STARTED: Started = { ok: false, reason: NOT_REACHED };

/**
 * Run `use` with the started candidate; it never outlives this process. At the first SIGINT, SIGTERM
 * or SIGHUP the candidate is ended and `stop` aborted, its reason the signal, so that `use` can
 * conclude; the second ends the process.
 */
export async function withCandidate<T>(
  candidate: Candidate,
  use: (started: Started, stop: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const kill = (): void => candidate.kill();
  const interrupt = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(statusOf(signal));
    stop.abort(signal);
    kill();
  };
  process.once('exit', kill);
  const endHearing = hearing(interrupt);
  try {
    const started = await unlessAborted(stop.signal, candidate.start());
    return await use(started === 'aborted' ? NOT_STARTED : started, stop.signal);
  } finally {
    await candidate.close();
    process.removeListener('exit', kill);
    endHearing();
  }
}

/** A folder in which nothing could be kept is found out before anything is judged, not after. */
export function checkFolder(option: string, folder: string): void {
  let nearest = path.resolve(folder);
  while (!existsSync(nearest)) nearest = path.dirname(nearest);
  const isFolder = statSync(nearest).isDirectory();
  if (!isFolder) throw new RangeError(`"${option}" expected a folder, got the file ${nearest}`);
  const trial = path.join(nearest, `.xattn-${process.pid}.tmp`);
  writeFileSync(trial, '', { flag: 'wx' });
  unlinkSync(trial);
}

/** Results as a report; each kept case with the command that repeats it. */
export function reportOf(
  results: readonly CaseResult[],
  options: CandidateOptions | null,
  heading: Omit<Report, 'cases' | 'summary' | 'version'>,
): Report {
  const cases = results.map((result) => ({
    ...result,
    replay:
      result.kept === null || options === null
        ? null
        : replayCommand(result.kept, replayOptions(options)),
  }));
  return { version: version(), ...heading, cases, summary: summaryOf(cases) };
}

/** Write the report's files; a sentence where that fails, since the verdicts are still to be printed. */
export function written(report: Report, live: LiveReport | undefined): boolean {
  try {
    live?.finish(report);
    return true;
  } catch (error) {
    process.stderr.write(`xattn: the report was not written: ${fileSentence(error)}\n`);
    return false;
  }
}

interface Ending {
  /** The report's files. */
  readonly live?: LiveReport;
  /** A part of a suite may have nothing to judge. */
  readonly nothingIsFine?: boolean;
  /** Tell of every failing and skipped case. */
  readonly all?: boolean | undefined;
  /** Annotations as GitHub shows them, too. */
  readonly github?: boolean | undefined;
}

/**
 * Write and print the report; the exit status. With nothing judged, and with a report that could not
 * be written, nothing may look like a pass.
 */
export function conclude(report: Report, ending: Ending = {}): number {
  const { live, nothingIsFine = false, all = false, github } = ending;
  const whole = written(report, live);
  const color = process.stdout.isTTY === true && pc.isColorSupported;
  const { columns: width = WIDTH } = process.stdout;
  const text = textReport(report, color, { all, width });
  process.stdout.write(github ? `${quietly(text)}${githubReport(report)}` : text);
  if (report.signal !== undefined) return statusOf(report.signal);
  if (judgedCount(report.summary) === 0 && !nothingIsFine) {
    process.stderr.write(
      'xattn: no case was judged, so there is no verdict; ' +
        'ask for cases whose feature words the candidate supports\n',
    );
    return 2;
  }
  const status = exitStatus(report.summary);
  const unjudged = unjudgedWords(report);
  if (unjudged.length === 0 || nothingIsFine || status !== 0) {
    return status === 0 && !whole ? 2 : status;
  }
  process.stderr.write(
    `xattn: "--require" expected a judged case of each word, got none of ${unjudged.join(' ')}\n`,
  );
  return 2;
}
