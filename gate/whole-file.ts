/**
 * A file written whole or not at all: beside its place, to the disk, and then into its place. A full
 * disk or a kill in the middle leaves what was there before. What is no regular file, such as a pipe
 * or a terminal, is written to as it is.
 * @module
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

/** The file that a path stands for, links followed, and whether it can be put into its place whole. */
export function placeOf(file: string): { readonly place: string; readonly regular: boolean } {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) return { place: path.resolve(file), regular: true };
  return { place: realpathSync(file), regular: found.isFile() || found.isDirectory() };
}

/** A failure of the file system names the path that was asked for, and no other. */
function named(file: string, write: () => void): void {
  try {
    write();
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

let count = 0;

/** Write `text` into `file`. Throws what the file system says, with the path that was asked for. */
export function writeWholeFile(file: string, text: string): void {
  const { place, regular } = placeOf(file);
  if (!regular) {
    named(file, () => writeFileSync(file, text));
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
