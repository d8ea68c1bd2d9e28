/**
 * Reports that are whole and true at any moment: written before the first case, while the run goes
 * on, and when it ends, however it ends. A killed run leaves what was judged until shortly before.
 * @module
 */
import { fileSentence } from './file-errors.ts';
import { jsonReport } from './report/json.ts';
import { junitReport } from './report/junit.ts';
import type { Report } from './report.ts';
import { placeOf, writeWholeFile } from './whole-file.ts';

/** Files that a report is written to besides. */
export interface ReportFiles {
  readonly report?: string;
  readonly junit?: string;
}

export interface LiveReport {
  /** There is more to say than was written. */
  changed(): void;
  /** The run has ended, and this is all. Throws where it cannot be written. */
  finish(report: Report): void;
}

const PAUSE_MS = 1000;
/** Writing takes at most one part in so many of the time. */
const SHARE = 20;

const PRINTERS = { report: jsonReport, junit: junitReport } as const;

/** The files of which `which` is true; one that cannot be written does not keep the other from it. */
function write(files: ReportFiles, report: Report, which: (file: string) => boolean): void {
  const failures: unknown[] = [];
  for (const [key, print] of Object.entries(PRINTERS)) {
    const file = files[key as keyof ReportFiles];
    if (file === undefined || !which(file)) continue;
    try {
      writeWholeFile(file, print(report));
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

function checkApart({ report, junit }: ReportFiles): void {
  if (report === undefined || junit === undefined) return;
  if (placeOf(report).place !== placeOf(junit).place) return;
  throw new RangeError(`"--junit" expected another file than "--report", got ${junit} for both`);
}

/**
 * Starts with a report of `soFar`, so that a file that cannot be written is found out now. `soFar`
 * says what was judged until it is called.
 */
export function liveReport(files: ReportFiles, soFar: () => Report): LiveReport {
  checkApart(files);
  const again = (file: string): boolean => placeOf(file).regular;
  let timer: NodeJS.Timeout | undefined;
  let [pause, pending, complained] = [PAUSE_MS, false, false];
  const flush = (): void => {
    const begin = performance.now();
    [timer, pending] = [undefined, false];
    try {
      write(files, soFar(), again);
    } catch (error) {
      if (!complained) process.stderr.write(`xattn: it stays as it was: ${fileSentence(error)}\n`);
      complained = true;
    }
    pause = Math.max(PAUSE_MS, SHARE * (performance.now() - begin));
  };
  const atExit = (): void => {
    if (pending) flush();
  };
  write(files, soFar(), again);
  process.once('exit', atExit);
  return {
    changed: () => {
      pending = true;
      timer ??= setTimeout(flush, pause);
    },
    finish: (report) => {
      clearTimeout(timer);
      pending = false;
      process.removeListener('exit', atExit);
      write(files, report, () => true);
    },
  };
}
