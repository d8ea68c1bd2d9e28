import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STORED_DTYPES, type StoredDtype } from '../numbers/stored-dtype.ts';
import { tensorOf, toFlat } from '../numbers/tensor.ts';
import { readSafetensors, writeSafetensors } from './safetensors.ts';

const sample: Record<StoredDtype, number[]> = {
  F64: [0.1, -0, 5e-324, Infinity],
  F32: [1.5, 2 ** -149, -3.4028234663852886e38, Number.NaN],
  F16: [1, -2, 65504, 2 ** -24],
  BF16: [1, 3.140625, -Infinity, 2 ** -133],
  F8_E4M3: [1, -448, 2 ** -9, Number.NaN],
  F8_E5M2: [1, 57344, -(2 ** -16), Infinity],
  I64: [0, -1, Number.MAX_SAFE_INTEGER, 7],
  I32: [0, -1, 2147483647, -2147483648],
  U8: [0, 1, 255, 2],
  BOOL: [0, 1, 1, 0],
};

/** A file of this header text and data, however wrong. */
function file(header: string | object, data = new Uint8Array(0), length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(
    typeof header === 'string' ? header : JSON.stringify(header),
  );
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

const entry = (dtype: string, shape: unknown, data_offsets: unknown) => ({
  dtype,
  shape,
  data_offsets,
});

describe('safetensors', () => {
  it('writes no metadata where there is none', () => {
    const bytes = writeSafetensors([]);
    expect(new TextDecoder().decode(bytes.subarray(8))).toBe('{}      ');
    expect(readSafetensors(bytes).metadata).toEqual({});
  });

  it('round trips every dtype, bit for bit, with metadata', () => {
    const tensors = STORED_DTYPES.map((dtype) => ({
      name: dtype,
      dtype,
      tensor: tensorOf(sample[dtype], [2, 2]),
    }));
    const bytes = writeSafetensors(tensors, { judging: 'random' });
    const read = readSafetensors(bytes);
    expect(read.metadata).toEqual({ judging: 'random' });
    for (const dtype of STORED_DTYPES) {
      const { tensor } = read.tensors.get(dtype)!;
      expect(tensor.shape).toEqual([2, 2]);
      expect(toFlat(tensor)).toEqual(sample[dtype]);
    }
    expect(bytes.length % 8).toBe(0);
  });

  it('holds empty tensors and no tensors', () => {
    const empty = { name: 'k', dtype: 'F32', tensor: tensorOf([], [2, 0]) } as const;
    expect(readSafetensors(writeSafetensors([empty])).tensors.get('k')!.tensor.shape).toEqual([
      2, 0,
    ]);
    expect(readSafetensors(writeSafetensors([])).tensors.size).toBe(0);
  });

  const eight = new Uint8Array(8);
  const wrong: [string, Uint8Array, RegExp][] = [
    ['fewer than 8 bytes', new Uint8Array(7), /at least 8 bytes, got 7/],
    ['a header longer than the file', file('{}', eight, 1000n), /at most 10 bytes, got 1000/],
    ['a header of 2^63 bytes', file('{}', eight, 2n ** 63n), /header expected at most/],
    ['text that is no JSON', file('{"a":'), /expected JSON/],
    ['bytes that are no UTF-8', file('{}', eight, 3n).fill(0xff, 8), /UTF-8/],
    ['an array', file('[]'), /JSON object/],
    ['null', file('null'), /JSON object/],
    [
      'an unknown dtype',
      file({ a: entry('F4', [8], [0, 8]) }, eight),
      /malformed entry at "dtype"/,
    ],
    [
      'a negative extent',
      file({ a: entry('U8', [-8], [0, 8]) }, eight),
      /malformed entry at "shape/,
    ],
    ['a fractional extent', file({ a: entry('U8', [1.5], [0, 8]) }, eight), /malformed entry/],
    [
      'an extra field',
      file({ a: { ...entry('U8', [8], [0, 8]), x: 1 } }, eight),
      /malformed entry/,
    ],
    ['an offset past the end', file({ a: entry('U8', [16], [0, 16]) }, eight), /truncated/],
    [
      'offsets that do not fit the shape',
      file({ a: entry('F32', [8], [0, 8]) }, eight),
      /expected 32 bytes/,
    ],
    ['reversed offsets', file({ a: entry('U8', [8], [8, 0]) }, eight), /expected 8 bytes/],
    [
      'a shape whose product overflows',
      file({ a: entry('U8', [2 ** 52, 2 ** 52], [0, 8]) }, eight),
      /"a" expected/,
    ],
    [
      'overlapping tensors',
      file({ a: entry('U8', [8], [0, 8]), b: entry('U8', [4], [4, 8]) }, eight),
      /"b" expected to begin at byte 8/,
    ],
    ['a gap', file({ a: entry('U8', [4], [4, 8]) }, eight), /expected to begin at byte 0/],
    [
      'bytes after the last tensor',
      file({ a: entry('U8', [4], [0, 4]) }, eight),
      /data expected 4 bytes, got 8/,
    ],
    [
      'one name twice',
      file(
        '{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}',
        eight,
      ),
      /each name once/,
    ],
    ['metadata that is no string', file({ __metadata__: { a: 1 } }), /__metadata__/],
    [
      'a boolean of 2',
      file({ a: entry('BOOL', [8], [0, 8]) }, new Uint8Array(8).fill(2)),
      /"a": a BOOL element expected 0 or 1, got 2/,
    ],
    [
      'an unsafe integer',
      file({ a: entry('I64', [1], [0, 8]) }, new Uint8Array(8).fill(0x7f)),
      /I64 element/,
    ],
  ];
  for (const [what, bytes, message] of wrong) {
    it(`refuses ${what}`, () => {
      expect(() => readSafetensors(bytes)).toThrow(RangeError);
      expect(() => readSafetensors(bytes)).toThrow(message);
    });
  }

  it('is not fooled by quotes and braces inside strings', () => {
    const metadata = { note: 'a "x": { that is text', other: '\\"' };
    expect(readSafetensors(writeSafetensors([], metadata)).metadata).toEqual(metadata);
  });

  it('survives any damage with a RangeError or an answer, never another failure', () => {
    const good = writeSafetensors(
      STORED_DTYPES.map((dtype) => ({ name: dtype, dtype, tensor: tensorOf(sample[dtype], [4]) })),
    );
    const edits = fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(edits, fc.nat(good.length), (changes, length) => {
        const bytes = good.slice(0, length);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        try {
          readSafetensors(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 3000 },
    );
  });
});
