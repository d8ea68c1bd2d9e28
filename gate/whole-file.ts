/**
 * A file written whole or not at all: beside its place, to the disk, and then into its place. A full
 * disk or a kill in the middle leaves what was there before. What is no regular file, such as a pipe
 * or a terminal, is written to as it is, and so is a file that this process was given open, such as
 * /dev/stdout: what is put into its place would not be seen by whoever has it open.
 * @module
 */
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

const STREAMS: Readonly<Record<string, number>> = {
  '/dev/stdin': 0,
  '/dev/stdout': 1,
  '/dev/stderr': 2,
};

/** The open regular file that a path such as /dev/stdout or /dev/fd/3 stands for; null where none. */
function openFile(file: string): number | null {
  const asked = path.resolve(file);
  const numbered = /^\/(?:dev|proc\/self)\/fd\/(\d{1,6})$/.exec(asked)?.[1];
  const descriptor = STREAMS[asked] ?? (numbered === undefined ? null : Number(numbered));
  try {
    return descriptor !== null && fstatSync(descriptor).isFile() ? descriptor : null;
  } catch {
    return null;
  }
}

export interface FilePlace {
  /** The file that a path stands for, links followed. */
  readonly place: string;
  /** Whether it can be put into its place whole. */
  readonly regular: boolean;
  /** Where it is open already. */
  readonly descriptor?: number;
}

/** Where a path leads. */
export function placeOf(file: string): FilePlace {
  const descriptor = openFile(file);
  if (descriptor !== null) return { place: realpathSync(file), regular: false, descriptor };
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return { place: path.resolve(file), regular: true };
  return { place: realpathSync(file), regular: found.isFile() || found.isDirectory() };
}

/** A failure of the file system names the path that was asked for, and no other. */
export function named<T>(file: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw Object.assign(error as NodeJS.ErrnoException, { path: file });
  }
}

function writeToDisk(file: string, text: string): void {
  const descriptor = openSync(file, 'wx');
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Throws what the file system would say of a file that cannot be put into its place, before work is done for it. */
export function checkPlace(file: string): void {
  const { place, regular } = placeOf(file);
  if (!regular) return;
  named(file, () => accessSync(path.dirname(place), constants.W_OK));
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  throw Object.assign(new Error(`${file} is a folder`), { code: 'EISDIR', path: file });
}

let count = 0;

/** Write `text` into `file`. Throws what the file system says, with the path that was asked for. */
export function writeWholeFile(file: string, text: string): void {
  const { place, regular, descriptor } = placeOf(file);
  if (!regular) {
    // Through what is open, so that it comes behind what has been written there.
    named(file, () => writeFileSync(descriptor ?? file, text));
    return;
  }
  const temporary = path.join(path.dirname(place), `.xattn-${process.pid}-${count++}.tmp`);
  named(file, () => {
    try {
      writeToDisk(temporary, text);
      renameSync(temporary, place);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  });
}
