/**
 * Safetensors, read whole and written canonically. What the header says is checked in full before
 * the data is touched (safetensors-layout.ts). Files too large for memory: stored-file.ts.
 * @module
 */

import { CODECS, type StoredDtype } from '../numbers/stored-dtype.ts';
import { elementCount, type Tensor, tensorOf, toFlat } from '../numbers/tensor.ts';
import { dataStartOf, layoutOf, PREFIX } from './safetensors-layout.ts';

/** One tensor of a file: the format it is stored in, and its numbers. */
export interface StoredTensor {
  readonly dtype: StoredDtype;
  readonly tensor: Tensor;
}

export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Read a whole file held in memory. Throws RangeError naming what is wrong. */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const dataStart = dataStartOf(bytes, bytes.length);
  const dataLength = bytes.length - dataStart;
  const { metadata, entries } = layoutOf(bytes.subarray(PREFIX, dataStart), dataLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset + dataStart, dataLength);
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
