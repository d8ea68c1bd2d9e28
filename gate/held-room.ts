/**
 * Room on a disk, held for a file that is yet to be written there: an open file without a name, so that
 * nothing of it is left however the program ends. Given back when the disk is full.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

const CHUNK = 1 << 16;

export interface HeldRoom {
  /** Hold at least so many bytes, or as many as there are. */
  hold(bytes: number): void;
  /** Give all of it back. */
  release(): void;
}

/** Room in the folder of `place`, the path of a regular file; none is held yet. Nothing throws. */
export function heldRoom(place: string): HeldRoom {
  const name = path.join(path.dirname(place), `.xattn-${process.pid}-room.tmp`);
  let descriptor: number | null = null;
  let held = 0;
  const open = (): number => {
    const opened = openSync(name, 'wx');
    rmSync(name);
    return opened;
  };
  return {
    hold: (bytes) => {
      try {
        descriptor ??= open();
        // Random: a file system that compresses would hold no room for zeros.
        while (held < bytes) held += writeSync(descriptor, randomBytes(CHUNK));
      } catch {
        // What there is, is held.
      }
    },
    release: () => {
      if (descriptor !== null) closeSync(descriptor);
      [descriptor, held] = [null, 0];
    },
  };
}
