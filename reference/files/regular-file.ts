/**
 * Files of a case folder, opened as hostile: only regular files inside the folder, links are not
 * followed, and sizes are known before anything is read.
 * @module
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { readSafetensors, type SafetensorsFile } from './safetensors.ts';
import { openSafetensors } from './stored-file.ts';

function isMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOENT' || error.code === 'ENOTDIR')
  );
}

/** An open file; who opened it closes it. */
export interface OpenFile {
  readonly descriptor: number;
  readonly size: number;
}

/** Opens a regular file of at most `limit` bytes; null where there is none. */
export function openRegular(folder: string, name: string, limit: number): OpenFile | null {
  let descriptor: number;
  try {
    descriptor = openSync(
      join(folder, name),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
  } catch (error) {
    if (isMissing(error)) return null;
    throw new RangeError(`"${name}" expected a readable regular file in ${folder}`);
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new RangeError(`"${name}" expected a regular file in ${folder}`);
    if (stat.size > limit) {
      throw new RangeError(`"${name}" expected at most ${limit} bytes, got ${stat.size}`);
    }
    return { descriptor, size: stat.size };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** As many bytes as the file had when it was opened, or fewer; it may grow or shrink meanwhile. */
function bytesOf({ descriptor, size }: OpenFile): Uint8Array {
  const bytes = new Uint8Array(size);
  let done = 0;
  while (done < size) {
    const got = readSync(descriptor, bytes, done, size - done, done);
    if (got === 0) break;
    done += got;
  }
  return bytes.subarray(0, done);
}

/** The bytes of a regular file of at most `limit` bytes; null where there is none. */
export function readRegular(folder: string, name: string, limit: number): Uint8Array | null {
  const file = openRegular(folder, name, limit);
  if (file === null) return null;
  try {
    return bytesOf(file);
  } finally {
    closeSync(file.descriptor);
  }
}

/** A safetensors file, read whole or in ranges; `close` ends the reading in ranges. */
export interface OpenTensors {
  readonly file: SafetensorsFile;
  readonly close: () => void;
}

/** Files up to this size are read whole, at once; larger ones stay open and are read in ranges. */
export const WHOLE_LIMIT = 2 ** 26;

/** A safetensors file of at most `limit` bytes, in memory up to `whole` bytes; null where there is none. */
export function openTensors(
  folder: string,
  name: string,
  { limit, whole = WHOLE_LIMIT }: { readonly limit: number; readonly whole?: number | undefined },
): OpenTensors | null {
  const opened = openRegular(folder, name, limit);
  if (opened === null) return null;
  const { descriptor, size } = opened;
  const close = (): void => closeSync(descriptor);
  try {
    if (size > whole) return { file: openSafetensors(descriptor, size), close };
    const file = readSafetensors(bytesOf(opened));
    close();
    return { file, close: () => undefined };
  } catch (error) {
    close();
    throw error;
  }
}
