/**
 * What a rank really holds, for logs that are to show it: contents, not what a schedule calls them.
 *
 * Contents bear their own label from where they are made (a rank loads its own block, a partial
 * result is of the keys that it was computed with) and take it along through merges and messages.
 * A hash of the numbers shows where label and numbers have parted.
 * @module
 */
import type { Real } from './device/device.ts';
import type { Label } from './wire.ts';

/** Contents as a log shows them. */
export interface Contents {
  /** null for what holds nothing. */
  readonly label: Label | null;
  readonly bytes: number;
  /** FNV-1a, 32 bits, of the bytes. */
  readonly hash: number;
}

/** Everything that a rank holds: its buffers by name, and what is home, as "home out". */
export type Snapshot = Readonly<Record<string, Contents>>;

/** What was there right before and right after an operation, and on the wire. */
export interface Observation {
  readonly before: Snapshot;
  readonly after: Snapshot;
  /** The message that was handed to the transport, or that it handed over. */
  readonly message: Contents | null;
}

const [FNV_START, FNV_PRIME] = [0x811c9dc5, 0x01000193];

type Bytes = Pick<Uint8Array, 'buffer' | 'byteOffset' | 'byteLength'>;

/** FNV-1a of the bytes of arrays behind one another: another content, another hash but once in 2³². */
export function hashOf(arrays: readonly Bytes[]): number {
  let hash = FNV_START;
  for (const { buffer, byteOffset, byteLength } of arrays) {
    for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) {
      hash = Math.imul(hash ^ byte, FNV_PRIME);
    }
  }
  return hash >>> 0;
}

/** Label, size and hash of what is held. */
export function contentsOf(label: Label | null, arrays: readonly Real[]): Contents {
  const bytes = arrays.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return { label, bytes, hash: hashOf(arrays) };
}

/** What holds nothing. */
export const NOTHING: Contents = contentsOf(null, []);

/** Whether contents are zeros (every bit of them) or nothing, as far as their hash shows. */
export function areZeros({ bytes, hash }: Contents): boolean {
  let expected = FNV_START;
  for (let n = 0; n < bytes; n++) expected = Math.imul(expected, FNV_PRIME);
  return hash === expected >>> 0;
}
