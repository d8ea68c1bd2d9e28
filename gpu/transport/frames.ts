/**
 * Frames: what goes over a socket between processes, in a format that any language can read.
 *
 * A frame is 20 bytes of fixed fields, little endian: "XATN", version (1), kind (1), 2 bytes of
 * zero, header bytes (4), payload bytes (4), checksum (4); then the header, JSON in UTF-8, and the
 * payload, which is arrays of float32 or float64 behind one another. The checksum is FNV-1a of all
 * that is before it and of header and payload. Lengths are checked before anything is waited for or
 * kept, so that no stranger can make a process hold more than a hello needs.
 * @module
 */
import { endianness } from 'node:os';
import { hashOf } from '../observation.ts';

const MAGIC = 'XATN';
const VERSION = 1;
const FIXED_BYTES = 20;
const CHECKED_BYTES = 16;

/** In the order of their numbers, from 1. */
export const FRAME_KINDS = [
  ...(['hello', 'refused', 'job', 'ready', 'go', 'at'] as const),
  ...(['message', 'free', 'result', 'failure', 'done', 'alive'] as const),
] as const;
export type FrameKind = (typeof FRAME_KINDS)[number];

export interface Frame {
  readonly kind: FrameKind;
  /** Parsed, but not looked into. */
  readonly header: unknown;
  readonly payload: Uint8Array;
}

/** The most bytes of a header and a payload, for every kind that may come. */
export type Limits = Partial<
  Record<FrameKind, { readonly header: number; readonly payload: number }>
>;

const KIBIBYTE = 1024;
/** What frames without numbers need; the sentence of an error included. */
export const SMALL = { header: 64 * KIBIBYTE, payload: 0 };
/** What may come from somebody who has not said who it is. */
export const STRANGER: Limits = { hello: { header: KIBIBYTE, payload: 0 } };

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const NOTHING: Uint8Array = new Uint8Array(0);
/** Stands for −0 until the text is made: JSON can say it, JSON.stringify does not. */
const MINUS_ZERO = '\u0000-0';

/** JSON of plain values, bit for bit: −0 stays −0. */
export function jsonOf(value: unknown): string {
  const text = JSON.stringify(value, (_, one) => (Object.is(one, -0) ? MINUS_ZERO : one));
  return text.replaceAll(JSON.stringify(MINUS_ZERO), '-0');
}

/** Throws RangeError where the payload is too large for its field. */
export function encodeFrame(
  kind: FrameKind,
  header: unknown,
  payload: Uint8Array = NOTHING,
): Uint8Array[] {
  if (endianness() !== 'LE') throw new Error('ranks in processes expected a little-endian machine');
  const text = encoder.encode(jsonOf(header));
  if (text.length >= 2 ** 32 || payload.length >= 2 ** 32) {
    throw new RangeError(
      `a frame "${kind}" expected less than 4 GiB, got ${text.length + payload.length} bytes`,
    );
  }
  const fixed = new Uint8Array(FIXED_BYTES);
  const view = new DataView(fixed.buffer);
  fixed.set(encoder.encode(MAGIC));
  fixed[4] = VERSION;
  fixed[5] = FRAME_KINDS.indexOf(kind) + 1;
  view.setUint32(8, text.length, true);
  view.setUint32(12, payload.length, true);
  view.setUint32(16, hashOf([fixed.subarray(0, CHECKED_BYTES), text, payload]), true);
  return [fixed, text, payload];
}

interface Fixed {
  readonly kind: FrameKind;
  readonly header: number;
  readonly payload: number;
  readonly checksum: number;
  readonly bytes: Uint8Array;
}

function refuse(field: string, expected: string, got: unknown): never {
  throw new RangeError(`a frame expected "${field}" to be ${expected}, got ${got}`);
}

function fixedFrom(bytes: Uint8Array, limits: Limits): Fixed {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  if (magic !== MAGIC) refuse('magic', `"${MAGIC}"`, JSON.stringify(magic));
  if (bytes[4] !== VERSION) refuse('version', String(VERSION), bytes[4]);
  const kind = FRAME_KINDS[(bytes[5] ?? 0) - 1];
  const limit = kind === undefined ? undefined : limits[kind];
  if (kind === undefined || limit === undefined) {
    return refuse('kind', `one of ${Object.keys(limits).join(', ')}`, kind ?? bytes[5]);
  }
  if (view.getUint16(6, true) !== 0) refuse('zero', '0', view.getUint16(6, true));
  const [header, payload] = [view.getUint32(8, true), view.getUint32(12, true)];
  if (header > limit.header) refuse('header bytes', `at most ${limit.header} in "${kind}"`, header);
  if (payload > limit.payload) {
    refuse('payload bytes', `at most ${limit.payload} in "${kind}"`, payload);
  }
  return { kind, header, payload, checksum: view.getUint32(16, true), bytes };
}

function headerFrom(text: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(text));
  } catch {
    return refuse('header', 'JSON in UTF-8', 'something else');
  }
}

/** Bytes as they come, frames as they are whole. */
export class FrameReader {
  /** What may come next; may be changed between two frames. */
  limits: Limits;
  #chunks: Uint8Array[] = [];
  #length = 0;
  #fixed: Fixed | null = null;

  constructor(limits: Limits) {
    this.limits = limits;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** Whether the bytes end within a frame. */
  get isWithin(): boolean {
    return this.#length > 0 || this.#fixed !== null;
  }

  /** The next bytes as memory of their own, so that arrays on them are aligned; null: not yet. */
  #take(length: number): Uint8Array | null {
    if (this.#length < length) return null;
    const taken = new Uint8Array(length);
    let at = 0;
    while (at < length) {
      const [chunk = NOTHING] = this.#chunks;
      const part = chunk.subarray(0, length - at);
      taken.set(part, at);
      at += part.length;
      if (part.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(part.length);
    }
    this.#length -= length;
    return taken;
  }

  /** The next whole frame, or null. Throws RangeError, naming the field, where it is none. */
  next(): Frame | null {
    if (this.#fixed === null) {
      const bytes = this.#take(FIXED_BYTES);
      if (bytes === null) return null;
      this.#fixed = fixedFrom(bytes, this.limits);
    }
    const { kind, header, payload, checksum, bytes } = this.#fixed;
    if (this.#length < header + payload) return null;
    const [text, content] = [this.#take(header) ?? NOTHING, this.#take(payload) ?? NOTHING];
    this.#fixed = null;
    const found = hashOf([bytes.subarray(0, CHECKED_BYTES), text, content]);
    if (found !== checksum) refuse('checksum', String(found), checksum);
    return { kind, header: headerFrom(text), payload: content };
  }
}
