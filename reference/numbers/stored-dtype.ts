/**
 * The formats that a safetensors file stores numbers in: their sizes, and how to read and write them.
 * Numbers come out as the exact float64 they denote.
 * @module
 */
import { decode, encode, type FormatName } from './format.ts';

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

/** Size of an element, and how to read and write one at a byte offset. */
export interface Codec {
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

export const CODECS: Readonly<Record<StoredDtype, Codec>> = {
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

/** The number format of a dtype that stores reals; the others store integers. */
export const FORMAT_OF: Readonly<Partial<Record<StoredDtype, FormatName>>> = {
  F64: 'f64',
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  F8_E4M3: 'fp8-e4m3',
  F8_E5M2: 'fp8-e5m2',
};

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

let f16Values: Float64Array | undefined;

/** Every f16, by its bits. */
function f16Table(): Float64Array {
  f16Values ??= Float64Array.from({ length: 2 ** 16 }, (_, bits) => decode('f16', bits));
  return f16Values;
}

function oneByOne({ bytes: width, read }: Codec, bytes: Uint8Array, target: Float64Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let n = 0; n < target.length; n++) target[n] = read(view, n * width);
}

/** Where bf16 values are made f32; kept, for to allocate it takes longer than to use it. */
let widened = new Float32Array(0);

/** `target.length` elements that follow one another from the start of `bytes`. */
export function decodeRun(
  dtype: StoredDtype,
  bytes: Uint8Array<ArrayBuffer>,
  target: Float64Array,
) {
  const { buffer } = bytes;
  const count = target.length;
  if (!LITTLE_ENDIAN || bytes.byteOffset !== 0) oneByOne(CODECS[dtype], bytes, target);
  else if (dtype === 'F64') target.set(new Float64Array(buffer, 0, count));
  else if (dtype === 'F32') target.set(new Float32Array(buffer, 0, count));
  else if (dtype === 'F16' || dtype === 'BF16') {
    const bits = new Uint16Array(buffer, 0, count);
    if (dtype === 'F16') {
      const table = f16Table();
      for (let n = 0; n < count; n++) target[n] = table[bits[n] ?? 0] ?? 0;
    } else {
      // A bf16 is the upper half of an f32; the lower half stays zero.
      if (widened.length < count) widened = new Float32Array(count);
      const halves = new Uint16Array(widened.buffer);
      for (let n = 0; n < count; n++) halves[2 * n + 1] = bits[n] ?? 0;
      target.set(widened.subarray(0, count));
    }
  } else oneByOne(CODECS[dtype], bytes, target);
}
