/**
 * What every command that judges does alike: the candidate's life, the report, the exit status.
 * @module
 */
import { writeFileSync } from 'node:fs';
import pc from 'picocolors';
import { PROFILES, type Profile } from '../../reference/profile.ts';
import type { Candidate, Started } from '../candidate.ts';
import { replayCommand } from '../keep.ts';
import { jsonReport } from '../report/json.ts';
import { junitReport } from '../report/junit.ts';
import { textReport } from '../report/text.ts';
import { exitStatus, judgedCount, type Report, summaryOf, unjudgedWords } from '../report.ts';
import type { CaseResult } from '../run-suite.ts';
import { type CandidateOptions, replayOptions } from './options.ts';

/** The precision to judge at: the one asked for, or the one declared. */
export const profileOf = (started: Started, { profile }: CandidateOptions): Profile =>
  profile ?? (started.ok ? started.hello.profile : PROFILES.f32);

export const nameOf = (started: Started, { candidate }: CandidateOptions): string =>
  started.ok ? started.hello.name : (candidate ?? 'the embedded candidate');

const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Run `use` with the started candidate; it never outlives this process. */
export async function withCandidate<T>(
  candidate: Candidate,
  use: (started: Started) => Promise<T>,
): Promise<T> {
  const kill = (): void => candidate.kill();
  const interrupt = (): void => process.exit(130);
  process.once('exit', kill);
  for (const signal of INTERRUPTS) process.once(signal, interrupt);
  try {
    return await use(await candidate.start());
  } finally {
    await candidate.close();
    process.removeListener('exit', kill);
    for (const signal of INTERRUPTS) process.removeListener(signal, interrupt);
  }
}

/** Files that a report is written to besides. */
export interface ReportFiles {
  readonly report?: string;
  readonly junit?: string;
}

/** A file that cannot be written is found out before anything is judged, not after. */
export function checkWritable({ report, junit }: ReportFiles): void {
  for (const file of [report, junit]) {
    if (file !== undefined) writeFileSync(file, '', { flag: 'a' });
  }
}

export function writeReports(report: Report, files: ReportFiles): void {
  if (files.report !== undefined) writeFileSync(files.report, jsonReport(report));
  if (files.junit !== undefined) writeFileSync(files.junit, junitReport(report));
}

/** Results as a report; each kept case with the command that repeats it. */
export function reportOf(
  results: readonly CaseResult[],
  options: CandidateOptions | null,
  heading: Omit<Report, 'cases' | 'summary'>,
): Report {
  const cases = results.map((result) => ({
    ...result,
    replay:
      result.kept === null || options === null
        ? null
        : replayCommand(result.kept, replayOptions(options)),
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
  const status = exitStatus(report.summary);
  const unjudged = unjudgedWords(report);
  if (unjudged.length === 0 || nothingIsFine || status !== 0) return status;
  process.stderr.write(
    `xattn: "--require" expected a judged case of each word, got none of ${unjudged.join(' ')}\n`,
  );
  return 2;
}
