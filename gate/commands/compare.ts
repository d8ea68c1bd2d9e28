/**
 * `xattn compare` and `xattn merge-reports`: reports of runs, without running anything.
 * @module
 */
import { liveReport } from '../live-report.ts';
import { compareReports, comparisonText } from '../report/compare.ts';
import { mergeReports } from '../report/merge.ts';
import { readReport } from '../report/read.ts';
import { placeOf } from '../whole-file.ts';
import { conclude } from './judging.ts';
import type { ReportOptions } from './report-options.ts';

export interface CompareOptions {
  json?: boolean;
}

/** 1 where anything is worse. */
export function compareCommand(first: string, second: string, { json }: CompareOptions): 0 | 1 {
  const comparison = compareReports(readReport(first), readReport(second));
  const text = json ? `${JSON.stringify(comparison, null, 2)}\n` : comparisonText(comparison);
  process.stdout.write(text);
  return comparison.worse.length > 0 ? 1 : 0;
}

/** What is merged is not written over. */
function checkKept(files: readonly string[], options: ReportOptions): void {
  const places = new Set(files.map((file) => placeOf(file).place));
  for (const key of ['report', 'junit', 'html'] as const) {
    const file = options[key];
    if (file === undefined || !places.has(placeOf(file).place)) continue;
    throw new RangeError(`"--${key}" expected another file than those to be merged, got ${file}`);
  }
}

/** The exit status is that of the merged verdicts. */
export function mergeCommand(files: readonly string[], options: ReportOptions): number {
  checkKept(files, options);
  const report = mergeReports(files.map((file) => ({ file, report: readReport(file) })));
  const live = liveReport(options, () => report);
  const status = conclude(report, { live, github: options.github });
  if (report.incomplete === undefined || status !== 0) return status;
  process.stderr.write(`xattn: ${report.incomplete}\n`);
  return 2;
}
