/**
 * Safetensors files too large for memory: the header is checked against the size of the file, and
 * tensors are read from it in ranges, as they are asked for.
 *
 * A descriptor is good in every thread of the process, so a range can be sent to one. Node only.
 * @module
 */

import { readSync } from 'node:fs';
import { nth } from '../numbers/nth.ts';
import { CODECS, decodeRun, FORMAT_OF, type StoredDtype } from '../numbers/stored-dtype.ts';
import { elementCount, type RangedStorage, rangedTensor } from '../numbers/tensor.ts';
import type { SafetensorsFile, StoredTensor } from './safetensors.ts';
import { dataStartOf, layoutOf, PREFIX } from './safetensors-layout.ts';

/** A tensor's elements in an open file; plain data. */
export interface FileRange {
  readonly descriptor: number;
  /** For messages. */
  readonly name: string;
  readonly dtype: StoredDtype;
  /** First byte in the file, and number of elements. */
  readonly begin: number;
  readonly length: number;
}

export interface FileStorage extends RangedStorage {
  readonly range: FileRange;
}

const CHUNK = 2 ** 18;
const PAGE = 2 ** 12;
const PAGES = 256;

/** Fills `bytes` from `position` of the file. Throws RangeError where the file ends before. */
function readExactly(descriptor: number, bytes: Uint8Array, position: number, name: string): void {
  let done = 0;
  while (done < bytes.length) {
    const got = readSync(descriptor, bytes, done, bytes.length - done, position + done);
    if (got === 0) {
      throw new RangeError(
        `"${name}" expected ${bytes.length} bytes from byte ${position} on, got ${done}: ` +
          'the file is shorter than its header says',
      );
    }
    done += got;
  }
}

/** Elements read one at a time come from a few pages that were read before. */
function pagedReader(length: number, read: RangedStorage['read']): (n: number) => number {
  const pages = new Map<number, Float64Array>();
  let last: Float64Array = new Float64Array(0);
  let lastNumber = -1;
  return (n) => {
    const number = Math.floor(n / PAGE);
    if (number !== lastNumber) {
      let page = pages.get(number);
      if (page === undefined) {
        page = new Float64Array(Math.max(0, Math.min(PAGE, length - number * PAGE)));
        read(number * PAGE, page);
        if (pages.size >= PAGES) pages.delete(pages.keys().next().value ?? 0);
        pages.set(number, page);
      }
      last = page;
      lastNumber = number;
    }
    return nth(last, n - number * PAGE);
  };
}

/** The elements of a range, read when asked for. */
export function fileStorage(range: FileRange): FileStorage {
  const { descriptor, name, dtype, begin, length } = range;
  const width = CODECS[dtype].bytes;
  const bytes = new Uint8Array(Math.min(CHUNK, length) * width);
  const read: RangedStorage['read'] = (start, target) => {
    if (start < 0 || start + target.length > length) {
      throw new RangeError(
        `"${name}" expected a range in 0..${length}, got ${start}..${start + target.length}`,
      );
    }
    for (let at = 0; at < target.length; at += CHUNK) {
      const part = target.subarray(at, at + CHUNK);
      const raw = bytes.subarray(0, part.length * width);
      readExactly(descriptor, raw, begin + (start + at) * width, name);
      try {
        decodeRun(dtype, raw, part);
      } catch (error) {
        throw new RangeError(`"${name}": ${error instanceof Error ? error.message : error}`);
      }
    }
  };
  const format = FORMAT_OF[dtype] ?? null;
  return { range, length, format, get: pagedReader(length, read), read };
}

/** The tensors of an open file of `size` bytes. Throws RangeError naming what is wrong. */
export function openSafetensors(descriptor: number, size: number): SafetensorsFile {
  const prefix = new Uint8Array(Math.min(PREFIX, size));
  readExactly(descriptor, prefix, 0, 'safetensors');
  const dataStart = dataStartOf(prefix, size);
  const header = new Uint8Array(dataStart - PREFIX);
  readExactly(descriptor, header, PREFIX, 'safetensors');
  const { metadata, entries } = layoutOf(header, size - dataStart);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin } of entries) {
    const length = elementCount(shape);
    const range = { descriptor, name, dtype, begin: dataStart + begin, length };
    tensors.set(name, { dtype, tensor: rangedTensor(fileStorage(range), shape) });
  }
  return { metadata, tensors };
}
