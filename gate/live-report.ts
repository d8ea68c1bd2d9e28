/**
 * Reports that are whole and true at any moment: written before the first case, while the run goes
 * on, and when it ends, however it ends. A killed run leaves what was judged until shortly before; a
 * disk that cases fill has room for the report.
 * @module
 */
import { fileSentence } from './file-errors.ts';
import { type HeldRoom, heldRoom } from './held-room.ts';
import { hearing, statusOf } from './interruption.ts';
import { htmlReport } from './report/html.ts';
import { jsonReport } from './report/json.ts';
import { junitReport } from './report/junit.ts';
import type { Report } from './report.ts';
import { placeOf, writeWholeFile } from './whole-file.ts';

/** Files that a report is written to besides. */
export interface ReportFiles {
  readonly report?: string;
  readonly junit?: string;
  readonly html?: string;
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

/** Pictures take their time, so they are drawn at the end alone. */
const PRINTERS: Record<keyof ReportFiles, (report: Report, last: boolean) => string> = {
  report: jsonReport,
  junit: junitReport,
  html: htmlReport,
};

/** Room is held for a report of twice the size of the last one, and for the first failing cases. */
const ROOM_BYTES = 1 << 20;

/** One file of a report, and the room that is held for its next version. */
interface Place {
  readonly file: string;
  readonly print: (report: Report, last: boolean) => string;
  /** Null: no regular file. */
  readonly room: HeldRoom | null;
}

function placesOf(files: ReportFiles): Place[] {
  return Object.entries(PRINTERS).flatMap(([key, print]) => {
    const file = files[key as keyof ReportFiles];
    if (file === undefined) return [];
    const { place, regular } = placeOf(file);
    return [{ file, print, room: regular ? heldRoom(place) : null }];
  });
}

function writeInRoom({ file, print, room }: Place, report: Report, last: boolean): void {
  const text = print(report, last);
  try {
    writeWholeFile(file, text);
  } catch (error) {
    if (room === null) throw error;
    room.release();
    writeWholeFile(file, text);
  } finally {
    if (last) room?.release();
    else room?.hold(ROOM_BYTES + 2 * Buffer.byteLength(text));
  }
}

/** One file that cannot be written does not keep the other from it. */
function write(places: readonly Place[], report: Report, last = false): void {
  const failures: unknown[] = [];
  for (const place of places) {
    try {
      writeInRoom(place, report, last);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Throws RangeError where two reports would be written over one another. */
export function checkApart(files: ReportFiles): void {
  const places = new Map<string, string>();
  for (const key of Object.keys(PRINTERS)) {
    const file = files[key as keyof ReportFiles];
    if (file === undefined) continue;
    const { place } = placeOf(file);
    const other = places.get(place);
    if (other !== undefined) {
      throw new RangeError(
        `"--${key}" expected another file than "--${other}", got ${file} for both`,
      );
    }
    places.set(place, key);
  }
}

/**
 * Where nobody else listens, as before a candidate is started, a signal ends this process with a word;
 * what it leaves is written at its exit. Gives what ends that.
 */
const endBySignal = (): (() => void) =>
  hearing((signal) => {
    if (process.listenerCount(signal) > 1) return;
    process.stderr.write(`xattn: interrupted by ${signal}\n`);
    process.exit(statusOf(signal));
  });

/**
 * Starts with a report of `soFar`, so that a file that cannot be written is found out now. `soFar`
 * says what was judged until it is called. With `hearsSignals`, which is for work that does not keep
 * this thread, all files are written however early a signal comes.
 */
export function liveReport(
  files: ReportFiles,
  soFar: () => Report,
  { hearsSignals = false } = {},
): LiveReport {
  checkApart(files);
  const places = placesOf(files);
  const regular = places.filter(({ room }) => room !== null);
  let timer: NodeJS.Timeout | undefined;
  let [pause, pending, complained] = [PAUSE_MS, false, false];
  const flush = (): void => {
    const begin = performance.now();
    [timer, pending] = [undefined, false];
    try {
      write(regular, soFar());
    } catch (error) {
      if (!complained) process.stderr.write(`xattn: it stays as it was: ${fileSentence(error)}\n`);
      complained = true;
    }
    pause = Math.max(PAUSE_MS, SHARE * (performance.now() - begin));
  };
  const atExit = (): void => {
    if (pending) flush();
  };
  const endSignals = hearsSignals ? endBySignal() : undefined;
  write(regular, soFar());
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
      endSignals?.();
      write(places, report, true);
    },
  };
}
