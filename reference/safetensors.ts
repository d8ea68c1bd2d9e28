/**
 * Safetensors, read as hostile and written canonically.
 *
 * Layout: u64 header length, JSON header, data. The reader checks every length and offset before it
 * touches a byte: the header fits the file, each entry's range is inside the data and exactly as
 * long as its dtype and shape say, and the ranges tile the data without overlap or gap. Numbers
 * come out as the exact float64 they denote.
 * @module
 */
import { z } from 'zod';
import { decode, encode } from './format.ts';
import { elementCount, type Tensor, tensorOf, toFlat } from './tensor.ts';

export const STORED_DTYPES = [
  'F64',
  'F32',
  'F16',
  'BF16',
  'F8_E4M3',
  'F8_E5M2',
  'I64',
  'I32',
  'U8',
  'BOOL',
] as const;
export type StoredDtype = (typeof STORED_DTYPES)[number];

/** One tensor of a file: the format it is stored in, and its numbers. */
export interface StoredTensor {
  readonly dtype: StoredDtype;
  readonly tensor: Tensor;
}

export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

const HEADER_LIMIT = 16 * 2 ** 20;
const RANK_LIMIT = 8;

/** Size of an element, and how to read and write one at a byte offset. */
interface Codec {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number;
  readonly write: (view: DataView, at: number, value: number) => void;
}

function readI64(view: DataView, at: number): number {
  const value = Number(view.getBigInt64(at, true));
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`an I64 element expected |x| < 2^53, got ${view.getBigInt64(at, true)}`);
  }
  return value;
}

function readBool(view: DataView, at: number): number {
  const value = view.getUint8(at);
  if (value > 1) throw new RangeError(`a BOOL element expected 0 or 1, got ${value}`);
  return value;
}

const half = (format: 'f16' | 'bf16'): Codec => ({
  bytes: 2,
  read: (view, at) => decode(format, view.getUint16(at, true)),
  write: (view, at, value) => view.setUint16(at, encode(format, value), true),
});

const quarter = (format: 'fp8-e4m3' | 'fp8-e5m2'): Codec => ({
  bytes: 1,
  read: (view, at) => decode(format, view.getUint8(at)),
  write: (view, at, value) => view.setUint8(at, encode(format, value)),
});

const CODECS: Readonly<Record<StoredDtype, Codec>> = {
  F64: {
    bytes: 8,
    read: (view, at) => view.getFloat64(at, true),
    write: (view, at, value) => view.setFloat64(at, value, true),
  },
  F32: {
    bytes: 4,
    read: (view, at) => view.getFloat32(at, true),
    write: (view, at, value) => view.setFloat32(at, value, true),
  },
  F16: half('f16'),
  BF16: half('bf16'),
  F8_E4M3: quarter('fp8-e4m3'),
  F8_E5M2: quarter('fp8-e5m2'),
  I64: {
    bytes: 8,
    read: readI64,
    write: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  },
  I32: {
    bytes: 4,
    read: (view, at) => view.getInt32(at, true),
    write: (view, at, value) => view.setInt32(at, value, true),
  },
  U8: {
    bytes: 1,
    read: (view, at) => view.getUint8(at),
    write: (view, at, value) => view.setUint8(at, value),
  },
  BOOL: {
    bytes: 1,
    read: readBool,
    write: (view, at, value) => view.setUint8(at, value === 0 ? 0 : 1),
  },
};

const size = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const entrySchema = z.strictObject({
  dtype: z.enum(STORED_DTYPES),
  shape: z.array(size).max(RANK_LIMIT),
  data_offsets: z.tuple([size, size]),
});
const metadataSchema = z.record(z.string(), z.string());

interface Entry {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

/** The header's JSON text, after its length has been checked against the file. */
function headerText(bytes: Uint8Array): { text: string; dataStart: number } {
  if (bytes.length < 8) {
    throw new RangeError(`safetensors expected at least 8 bytes, got ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  const room = Math.min(bytes.length - 8, HEADER_LIMIT);
  if (length > BigInt(room)) {
    throw new RangeError(`safetensors header expected at most ${room} bytes, got ${length}`);
  }
  const dataStart = 8 + Number(length);
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    return { text: decoder.decode(bytes.subarray(8, dataStart)), dataStart };
  } catch {
    throw new RangeError('safetensors header expected UTF-8, got other bytes');
  }
}

/** Two entries of one name would be silently merged by JSON.parse, so the text's own are counted. */
function refuseDuplicates(text: string, names: readonly string[]): void {
  let depth = 0;
  let keys = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (token === ':' && depth === 1) keys++;
  }
  if (keys !== names.length) {
    throw new RangeError('safetensors header expected each name once, got a name twice');
  }
}

function parseHeader(text: string): { metadata: Record<string, string>; entries: Entry[] } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new RangeError('safetensors header expected JSON, got other text');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new RangeError('safetensors header expected a JSON object');
  }
  const names = Object.keys(parsed);
  refuseDuplicates(text, names);
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

/** Read a whole file held in memory. Throws RangeError naming what is wrong. */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { text, dataStart } = headerText(bytes);
  const { metadata, entries } = parseHeader(text);
  checkRanges(entries, bytes.length - dataStart);
  const view = new DataView(bytes.buffer, bytes.byteOffset + dataStart, bytes.length - dataStart);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin } of entries) {
    const { bytes: width, read } = CODECS[dtype];
    const data = new Float64Array(elementCount(shape));
    try {
      for (let n = 0; n < data.length; n++) data[n] = read(view, begin + n * width);
    } catch (error) {
      throw new RangeError(`"${name}": ${error instanceof Error ? error.message : String(error)}`);
    }
    tensors.set(name, { dtype, tensor: tensorOf<number>(data, shape) });
  }
  return { metadata, tensors };
}

/** A tensor to write, under its name. */
export interface NamedTensor extends StoredTensor {
  readonly name: string;
}

/** The bytes of a file: tensors in the order given, header padded to 8 bytes with spaces. */
export function writeSafetensors(
  tensors: readonly NamedTensor[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  let end = 0;
  for (const { name, dtype, tensor } of tensors) {
    const begin = end;
    end += elementCount(tensor.shape) * CODECS[dtype].bytes;
    header[name] = { dtype, shape: tensor.shape, data_offsets: [begin, end] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + padded + end);
  bytes.fill(0x20, 8, 8 + padded);
  bytes.set(text, 8);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(padded), true);
  let at = 8 + padded;
  for (const { dtype, tensor } of tensors) {
    const { bytes: width, write } = CODECS[dtype];
    for (const value of toFlat(tensor)) {
      write(view, at, value);
      at += width;
    }
  }
  return bytes;
}
