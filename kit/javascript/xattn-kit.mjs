/**
 * Judge a JavaScript implementation of cross-attention: one file, no dependencies, Node 20.
 *
 *     import { serve } from './xattn-kit.mjs';
 *     serve({ name: 'mine', supports: ['forward', 'f32'], profile: 'f32' }, (testCase) => ({ out, lse }));
 *
 * `compute` gets a case and returns flat row-major typed arrays by output name (Float64Array or
 * Float32Array; f16(array) or bf16(array) for what was computed in halves), or throws Unsupported. It
 * may be asynchronous.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export class Unsupported extends Error {}

/** The number that a bit pattern stands for; E4M3 has no infinities. */
const small = (exponentBits, fractionBits, infinities) => (bits) => {
  const fraction = bits & (2 ** fractionBits - 1);
  const exponent = (bits >> fractionBits) & (2 ** exponentBits - 1);
  const sign = bits >> (exponentBits + fractionBits) ? -1 : 1;
  const bias = 2 ** (exponentBits - 1) - 1;
  if (exponent === 2 ** exponentBits - 1) {
    if (infinities) return fraction ? Number.NaN : sign * Infinity;
    if (fraction === 2 ** fractionBits - 1) return Number.NaN;
  }
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias - fractionBits);
  return sign * (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias);
};
const readF16 = small(5, 10, true);
const readBf16 = small(8, 7, true);
const readE4m3 = small(4, 3, false);
const readE5m2 = small(5, 2, true);

/** Exponent of the leading bit of x > 0; of a subnormal double, too small for any half. */
function exponentOf(x) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  return ((view.getUint32(0) >>> 20) & 0x7ff) - 1023;
}

/** The 16 bits of the nearest number of a format, ties to even. */
const half = (exponentBits, fractionBits) => (x) => {
  const infinity = (2 ** exponentBits - 1) * 2 ** fractionBits;
  const smallest = 2 - 2 ** (exponentBits - 1);
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  if (Number.isNaN(x)) return infinity + 2 ** (fractionBits - 1);
  const size = Math.abs(x);
  if (size === Infinity) return sign + infinity;
  const exponent = Math.max(exponentOf(size), smallest);
  const steps = size * 2 ** (fractionBits - exponent);
  const below = Math.floor(steps);
  const up = steps - below > 0.5 || (steps - below === 0.5 && below % 2 === 1);
  const bits = below + Number(up) + (exponent - smallest) * 2 ** fractionBits;
  return sign + Math.min(bits, infinity);
};

const halves = (dtype, bitsOf) => (numbers) => ({ dtype, bits: Uint16Array.from(numbers, bitsOf) });

/** Marks an output as computed and stored in halves: `{ lse: bf16(lse) }`. Rounds to nearest even. */
export const f16 = halves('F16', half(5, 10));
export const bf16 = halves('BF16', half(8, 7));

/** Bytes of an element, and how to read one. */
const DTYPES = {
  F64: [8, (view, at) => view.getFloat64(at, true)],
  F32: [4, (view, at) => view.getFloat32(at, true)],
  F16: [2, (view, at) => readF16(view.getUint16(at, true))],
  BF16: [2, (view, at) => readBf16(view.getUint16(at, true))],
  F8_E4M3: [1, (view, at) => readE4m3(view.getUint8(at))],
  F8_E5M2: [1, (view, at) => readE5m2(view.getUint8(at))],
  I64: [8, (view, at) => Number(view.getBigInt64(at, true))],
  I32: [4, (view, at) => view.getInt32(at, true)],
  U8: [1, (view, at) => view.getUint8(at)],
  BOOL: [1, (view, at) => view.getUint8(at)],
};

/** Tensors of a file by name: { shape, data: Float64Array }. */
export function readSafetensors(path) {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, start).toString());
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, bytes.length - start);
  const tensors = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    if (!Object.hasOwn(DTYPES, entry.dtype))
      throw new TypeError(`${name} has dtype ${entry.dtype}`);
    const [width, read] = DTYPES[entry.dtype];
    const length = entry.shape.reduce((a, b) => a * b, 1);
    const data = Float64Array.from({ length }, (_, n) =>
      read(view, entry.data_offsets[0] + n * width),
    );
    tensors[name] = { shape: entry.shape, data };
  }
  return tensors;
}

/** The dtype of an output and the array that holds its bytes. */
function stored(name, data) {
  if (data instanceof Float32Array) return ['F32', data];
  if (data instanceof Float64Array) return ['F64', data];
  if (data?.bits instanceof Uint16Array) return [data.dtype, data.bits];
  throw new TypeError(`${name} expected a Float64Array, a Float32Array, f16(…) or bf16(…)`);
}

/** Writes flat Float64Array, Float32Array, f16(…) or bf16(…) outputs with their shapes. */
export function writeSafetensors(path, tensors) {
  const header = {};
  const arrays = [];
  let at = 0;
  for (const [name, { shape, data: given }] of Object.entries(tensors)) {
    const [dtype, data] = stored(name, given);
    arrays.push([name, data]);
    header[name] = { dtype, shape, data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
  }
  const text = Buffer.from(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = Buffer.alloc(8 + padded + at, 0x20);
  bytes.writeBigUInt64LE(BigInt(padded), 0);
  text.copy(bytes, 8);
  for (const [name, data] of arrays) {
    const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    raw.copy(bytes, 8 + padded + header[name].data_offsets[0]);
  }
  writeFileSync(`${path}.tmp`, bytes);
  renameSync(`${path}.tmp`, path);
}

/** Element of a tensor that broadcasts to [b, h, i, j]. */
export function broadcastAt({ shape, data }, index) {
  const skip = index.length - shape.length;
  return data[
    shape.reduce((flat, extent, n) => flat * extent + (extent === 1 ? 0 : index[n + skip]), 0)
  ];
}

/** May query i of head h attend to key j, in batch entry b? Every mask together. */
export function visibility(c) {
  const offset = c.causal === 'bottom-right' ? c.seq_kv - c.seq_q : 0;
  const [left, right] = c.window ?? [-1, -1];
  const { mask, bias, kv_lengths: lengths, media_text: text, media_key: key } = c.tensors;
  return (b, h, i, j) => {
    if (bias && broadcastAt(bias, [b, h, i, j]) === -Infinity) return false;
    if (mask && broadcastAt(mask, [b, h, i, j]) === 0) return false;
    if (lengths && j >= lengths.data[b]) return false;
    if (c.causal !== 'none' && j > i + offset) return false;
    if (left >= 0 && j < i + offset - left) return false;
    if (right >= 0 && j > i + offset + right) return false;
    if (!c.media) return true;
    const [t, k] = [text.data[b * c.seq_q + i], key.data[b * c.seq_kv + j]];
    return c.media === 'immediate' ? t === k : t >= k;
  };
}

/** The shape of an output of a case. */
export function outputShape(c, name) {
  const shapes = {
    out: [c.batch, c.heads, c.seq_q, c.head_dim_v],
    lse: [c.batch, c.heads, c.seq_q],
    d_q: [c.batch, c.heads, c.seq_q, c.head_dim],
    d_k: [c.batch, c.kv_heads, c.seq_kv, c.head_dim],
    d_v: [c.batch, c.kv_heads, c.seq_kv, c.head_dim_v],
    d_bias: c.tensors.bias?.shape,
    d_sink: [c.heads],
    d_y: c.tensors.y?.shape,
    d_w_k: c.tensors.w_k?.shape,
    d_w_v: c.tensors.w_v?.shape,
  };
  return shapes[name];
}

/** Speaks protocol 1 until standard input closes. Log with console.error. */
export async function serve({ name, supports, profile }, compute) {
  const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
  say({ xattn: 1, name, supports, profile });
  for await (const line of createInterface({ input: process.stdin })) {
    const { case: folder } = JSON.parse(line);
    try {
      const parameters = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8'));
      const tensors = readSafetensors(join(folder, 'inputs.safetensors'));
      const testCase = { ...parameters, tensors };
      const outputs = await compute(testCase);
      const wanted = parameters.wants.map((output) => [
        output,
        { shape: outputShape(testCase, output), data: outputs[output] },
      ]);
      writeSafetensors(join(folder, 'outputs.safetensors'), Object.fromEntries(wanted));
      say({ case: folder, status: 'ok' });
    } catch (error) {
      const status = error instanceof Unsupported ? 'unsupported' : 'error';
      say({ case: folder, status, reason: String(error.message ?? error) });
    }
  }
}
