/**
 * What a rank really holds, for logs that are to show it: contents, not what a schedule calls them.
 *
 * Contents bear their own label from where they are made (a rank loads its own block, a partial
 * result is of the keys of the rank that computed it) and take it along through merges and messages.
 * A hash of the numbers shows where label and numbers have parted.
 * @module
 */
import type { Real } from './device/device.ts';
import type { Message } from './transport/transport.ts';

/** Numbers and their label. */
export interface Held {
  readonly parts: readonly (Real | Float64Array)[];
  /** Home rank of the query block, or of the keys, that the numbers belong to; −1 for nothing. */
  readonly block: number;
  /**
   * Whose contributions are in the numbers, in the order in which they came: ranks whose keys are in
   * a result, query blocks that are in dK and dV.
   */
  readonly merged: readonly number[];
}

/** What a buffer holds before anything was put there. */
export const NOTHING = { parts: [], block: -1, merged: [] } as const satisfies Held;

/** Contents as a log shows them. */
export interface Contents extends Pick<Held, 'block' | 'merged'> {
  readonly bytes: number;
  /** FNV-1a, 32 bits, of the bytes. */
  readonly hash: number;
}

/** Everything that a rank holds: query and result slots, the last partial result, keys, outputs. */
export const BUFFERS = [
  ...(['query0', 'query1', 'result0', 'result1'] as const),
  /** The last partial result; the rank's keys and values. */
  ...(['delta', 'keys'] as const),
  /** Finished {O, LSE} and dQ; {dK, dV, dBias}; dSink; {dY, dW_K, dW_V}. */
  ...(['out', 'dQ', 'sums', 'dSink', 'projected'] as const),
] as const;
export type BufferName = (typeof BUFFERS)[number];
export type Snapshot = Readonly<Record<BufferName, Contents>>;

/** What was there right before and right after an operation, and on the wire. */
export interface Observation {
  readonly before: Snapshot;
  readonly after: Snapshot;
  /** The message that was handed to the transport, or that it handed over. */
  readonly message: Contents | null;
}

const [FNV_START, FNV_PRIME] = [0x811c9dc5, 0x01000193];

/** Label, size and FNV-1a hash of what is held; another content has another hash but once in 2³². */
export function contentsOf({ parts, block, merged }: Held): Contents {
  let [hash, bytes] = [FNV_START, 0];
  for (const { buffer, byteOffset, byteLength } of parts) {
    for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) {
      hash = Math.imul(hash ^ byte, FNV_PRIME);
    }
    bytes += byteLength;
  }
  return { block, merged: [...merged], bytes, hash: hash >>> 0 };
}

/** A message as a log shows it: its hash is that of the slot it was packed from. */
export function contentsOfMessage({ block, merged, payload }: Message): Contents {
  return contentsOf({ parts: [payload], block, merged });
}

/** Whether contents are zeros (every bit of them) or nothing, as far as their hash shows. */
export function areZeros({ bytes, hash }: Contents): boolean {
  let expected = FNV_START;
  for (let n = 0; n < bytes; n++) expected = Math.imul(expected, FNV_PRIME);
  return hash === expected >>> 0;
}
