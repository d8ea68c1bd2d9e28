/**
 * The header of a safetensors file, read as hostile.
 *
 * Layout: u64 header length, JSON header, data. Every length and offset is checked before a byte of
 * the data is touched: the header fits the file, each entry's range is inside the data and exactly
 * as long as its dtype and shape say, and the ranges tile the data without overlap or gap.
 * @module
 */
import { z } from 'zod';
import { CODECS, STORED_DTYPES, type StoredDtype } from '../numbers/stored-dtype.ts';
import { elementCount } from '../numbers/tensor.ts';
import { parseStrictly } from './strict-json.ts';

const HEADER_LIMIT = 16 * 2 ** 20;
const RANK_LIMIT = 8;

const size = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const entrySchema = z.strictObject({
  dtype: z.enum(STORED_DTYPES),
  shape: z.array(size).max(RANK_LIMIT),
  data_offsets: z.tuple([size, size]),
});
const metadataSchema = z.record(z.string(), z.string());

/** A tensor of a file: its bytes are begin..end of the data. */
export interface Entry {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

/** The bytes before the header: its length, u64. */
export const PREFIX = 8;

/** Where the data starts, from the first bytes of a file of `size` bytes. */
export function dataStartOf(prefix: Uint8Array, size: number): number {
  if (size < PREFIX || prefix.length < PREFIX) {
    throw new RangeError(`safetensors expected at least ${PREFIX} bytes, got ${size}`);
  }
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  const length = view.getBigUint64(0, true);
  const room = Math.min(size - PREFIX, HEADER_LIMIT);
  if (length > BigInt(room)) {
    throw new RangeError(`safetensors header expected at most ${room} bytes, got ${length}`);
  }
  return PREFIX + Number(length);
}

function headerText(header: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(header);
  } catch {
    throw new RangeError('safetensors header expected UTF-8, got other bytes');
  }
}

function parseHeader(text: string): { metadata: Record<string, string>; entries: Entry[] } {
  let parsed: unknown;
  try {
    parsed = parseStrictly(text, 'safetensors header');
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new RangeError('safetensors header expected JSON, got other text');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new RangeError('safetensors header expected a JSON object');
  }
  const entries: Entry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') {
      const checked = metadataSchema.safeParse(value);
      if (!checked.success) throw new RangeError('"__metadata__" expected strings by name');
      metadata = checked.data;
    } else entries.push(parseEntry(name, value));
  }
  return { metadata, entries };
}

function parseEntry(name: string, value: unknown): Entry {
  const checked = entrySchema.safeParse(value);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    const where = issue?.path.join('.') ?? '';
    throw new RangeError(`"${name}" has a malformed entry at "${where}": ${issue?.message}`);
  }
  const { dtype, shape, data_offsets } = checked.data;
  return { name, dtype, shape, begin: data_offsets[0], end: data_offsets[1] };
}

/** Every range inside the data, as long as dtype and shape say, tiling it without overlap or gap. */
function checkRanges(entries: readonly Entry[], dataLength: number): void {
  for (const { name, dtype, shape, begin, end } of entries) {
    const length = elementCount(shape) * CODECS[dtype].bytes;
    if (!Number.isSafeInteger(length) || end - begin !== length) {
      throw new RangeError(
        `"${name}" expected ${length} bytes for ${dtype} [${shape.join(', ')}], got ${end - begin}`,
      );
    }
    if (end > dataLength) {
      throw new RangeError(`"${name}" ends at byte ${end} of ${dataLength}: the file is truncated`);
    }
  }
  const ordered = [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end);
  let reached = 0;
  for (const { name, begin, end } of ordered) {
    if (begin !== reached) {
      throw new RangeError(`"${name}" expected to begin at byte ${reached}, got ${begin}`);
    }
    reached = end;
  }
  if (reached !== dataLength) {
    throw new RangeError(`the data expected ${reached} bytes, got ${dataLength}`);
  }
}

export interface Layout {
  readonly metadata: Readonly<Record<string, string>>;
  readonly entries: readonly Entry[];
}

/** What a header says, held against the length of the data. Throws RangeError naming what is wrong. */
export function layoutOf(header: Uint8Array, dataLength: number): Layout {
  const layout = parseHeader(headerText(header));
  checkRanges(layout.entries, dataLength);
  return layout;
}
