/** The kits read and write every format of a case folder, to the bit. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../reference/files/safetensors.ts';
import { encode } from '../reference/numbers/format.ts';
import { CODECS, STORED_DTYPES, type StoredDtype } from '../reference/numbers/stored-dtype.ts';
import { toFlat } from '../reference/numbers/tensor.ts';

const python = process.env.XATTN_PYTHON ?? 'python3';
const hasNumpy = spawnSync(python, ['-c', 'import numpy']).status === 0;
const required = process.env.XATTN_REQUIRE_TOOLS === '1';
if (!hasNumpy && !required) {
  console.warn(`SKIPPED: the Python kit's formats are not tested, ${python} has no NumPy`);
}
const scratch = mkdtempSync(join(tmpdir(), 'xattn-formats-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Every pattern of one and two bytes; of wider formats, patterns that touch every bit. */
function patternsOf(dtype: StoredDtype): Uint8Array {
  const { bytes } = CODECS[dtype];
  if (dtype === 'BOOL') return Uint8Array.of(0, 1);
  if (bytes === 1) return Uint8Array.from({ length: 256 }, (_, n) => n);
  if (bytes === 2) return new Uint8Array(Uint16Array.from({ length: 65536 }, (_, n) => n).buffer);
  const numbers = Array.from({ length: 52 }, (_, n) => (-1) ** n * (2 ** n + 1));
  if (dtype === 'I64') return new Uint8Array(BigInt64Array.from(numbers, BigInt).buffer);
  if (dtype === 'I32') return new Uint8Array(Int32Array.from(numbers).buffer);
  const reals = [0, -0, Infinity, -Infinity, NaN, 2 ** -149, 2 ** -1074, ...numbers, 1 / 3];
  const array = dtype === 'F64' ? Float64Array.from(reals) : Float32Array.from(reals);
  return new Uint8Array(array.buffer);
}

function fileOf(tensors: [name: string, dtype: string, bytes: Uint8Array, count: number][]) {
  let at = 0;
  const header = tensors.map(([name, dtype, bytes, count]) => {
    const entry = { dtype, shape: [count], data_offsets: [at, at + bytes.length] };
    at += bytes.length;
    return [name, entry] as const;
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...tensors.map(([, , bytes]) => bytes)]);
}

/** Doubles on, just beside, and between the halves: what is rounded twice comes out otherwise. */
function nearTies(): Float64Array {
  const values: number[] = [0, -0, Infinity, -Infinity, NaN, 2 ** -1074, 1e300, -1e300];
  for (const exponent of [-1022, -160, -149, -140, -133, -126, -24, -14, -1, 0, 15, 16, 127]) {
    for (const fraction of [0, 1, 5, 127, 1023]) {
      for (const half of [8, 9, 11, 12]) {
        const tie = 2 ** exponent * (1 + fraction * 2 ** -7 + 2 ** -half);
        values.push(...[0, 2 ** -52, -(2 ** -52), 2 ** -30].map((e) => tie * (1 + e)), -tie);
      }
    }
  }
  return Float64Array.from(values);
}

const READABLE = STORED_DTYPES.map((dtype) => {
  const bytes = patternsOf(dtype);
  return [dtype, dtype, bytes, bytes.length / CODECS[dtype].bytes] as [
    string,
    string,
    Uint8Array,
    number,
  ];
});

beforeAll(() => {
  const ties = nearTies();
  writeFileSync(join(scratch, 'all.safetensors'), fileOf(READABLE));
  const bytes = new Uint8Array(ties.buffer);
  writeFileSync(join(scratch, 'ties.safetensors'), fileOf([['x', 'F64', bytes, ties.length]]));
});

const PYTHON = `
import sys
sys.path.insert(0, "kit/python")
import numpy as np
import xattn_kit as kit
folder = sys.argv[1]
read = kit.read_safetensors(folder + "/all.safetensors")
for array in read.values():
    array[...] = array[...]
kit.write_safetensors(folder + "/python.safetensors", {n: a.astype(np.float64) for n, a in read.items()})
back = {n: read[n] for n in ("F64", "F32", "F16")}
back["BF16"] = kit.bf16(read["BF16"])
kit.write_safetensors(folder + "/python-back.safetensors", back)
x = kit.read_safetensors(folder + "/ties.safetensors")["x"]
with np.errstate(over="ignore"):
    halves = {"f16": x.astype(np.float16), "bf16": kit.bf16(x), "grid": kit.bf16(x[:6].reshape(2, 3).T)}
kit.write_safetensors(folder + "/python-ties.safetensors", halves)
try:
    kit.write_outputs(folder, {"out": np.zeros(3, int)})
except TypeError as error:
    print(error)
`;

const JAVASCRIPT = `
const kit = await import(process.cwd() + '/kit/javascript/xattn-kit.mjs');
const folder = process.argv[1];
const read = kit.readSafetensors(folder + '/all.safetensors');
for (const { data } of Object.values(read)) data.set(data);
const write = (name, data) => kit.writeSafetensors(folder + '/' + name + '.safetensors', data);
write('javascript', read);
const { F64, F32, F16, BF16 } = read;
write('javascript-back', {
  F64, F32: { ...F32, data: Float32Array.from(F32.data) },
  F16: { ...F16, data: kit.f16(F16.data) }, BF16: { ...BF16, data: kit.bf16(BF16.data) },
});
const { x } = kit.readSafetensors(folder + '/ties.safetensors');
const grid = { shape: [3, 2], data: kit.bf16([0, 3, 1, 4, 2, 5].map((n) => x.data[n])) };
write('javascript-ties', {
  f16: { ...x, data: kit.f16(x.data) }, bf16: { ...x, data: kit.bf16(x.data) }, grid,
});
try {
  write('none', { out: { shape: [3], data: [1, 2, 3] } });
} catch (error) {
  console.log(error.message);
}
`;

const KITS: [kit: string, run: () => string][] = [
  ['python', () => execFileSync(python, ['-c', PYTHON, scratch], { encoding: 'utf8' })],
  ['javascript', () => execFileSync('node', ['-e', JAVASCRIPT, scratch], { encoding: 'utf8' })],
];

const read = (name: string) => readSafetensors(readFileSync(join(scratch, `${name}.safetensors`)));

describe.each(KITS)('the %s kit', (kit, run) => {
  const runs = kit === 'javascript' || hasNumpy || required;
  it.runIf(runs)('reads every pattern of every format as the number it stands for', () => {
    expect(run()).toMatch(/^out expected /);
    const [given, original] = [read(kit), read('all')];
    for (const dtype of STORED_DTYPES) {
      const got = toFlat(given.tensors.get(dtype)!.tensor);
      expect(got.length, dtype).toBe(READABLE.find(([name]) => name === dtype)![3]);
      expect(got, dtype).toEqual(toFlat(original.tensors.get(dtype)!.tensor));
    }
  });

  it.runIf(runs)('writes each format back as it was', () => {
    const [given, original] = [read(`${kit}-back`), read('all')];
    expect([...given.tensors.keys()]).toEqual(['F64', 'F32', 'F16', 'BF16']);
    for (const [dtype, { dtype: stored, tensor }] of given.tensors) {
      expect(stored).toBe(dtype);
      expect(toFlat(tensor), dtype).toEqual(toFlat(original.tensors.get(dtype)!.tensor));
    }
  });

  it.runIf(runs)('rounds to the nearest half, ties to even, once', () => {
    const given = read(`${kit}-ties`);
    for (const format of ['f16', 'bf16'] as const) {
      const { dtype, tensor } = given.tensors.get(format)!;
      expect(dtype).toBe(format.toUpperCase());
      const bits = toFlat(tensor).map((x) => encode(format, x));
      expect(bits, format).toEqual([...nearTies()].map((x) => encode(format, x)));
    }
    expect(given.tensors.get('grid')!.tensor.shape).toEqual([3, 2]);
    const first = [...nearTies()].slice(0, 6);
    const order = [0, 3, 1, 4, 2, 5].map((n) => encode('bf16', first[n]!));
    expect(toFlat(given.tensors.get('grid')!.tensor).map((x) => encode('bf16', x))).toEqual(order);
  });
});
