/**
 * Whether two answers are the same bits: a digest of what a candidate wrote.
 * @module
 */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readRegular } from '../reference/files/regular-file.ts';
import { readSafetensors } from '../reference/files/safetensors.ts';
import { toFlat } from '../reference/numbers/tensor.ts';

const OUTPUT_BYTES_MAX = 2 ** 30;

/**
 * The numbers of an output file as bytes. No engine keeps the sign or the payload of a NaN, so those
 * tell nothing of the candidate. A file that is none is told by its own bytes.
 */
function numbersOf(bytes: Uint8Array): (string | Uint8Array)[] {
  try {
    const tensors = [...readSafetensors(bytes).tensors].sort(([a], [b]) => (a < b ? -1 : 1));
    return tensors.flatMap(([name, { dtype, tensor }]) => {
      const numbers = Float64Array.from(toFlat(tensor), (x) => (Number.isNaN(x) ? Number.NaN : x));
      return [JSON.stringify([name, dtype, tensor.shape]), new Uint8Array(numbers.buffer)];
    });
  } catch {
    return [bytes];
  }
}

function bitsIn(folder: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort()) {
    if (!/^outputs(\.rank\d+)?\.safetensors$/.test(name)) continue;
    hash.update(name);
    const bytes = readRegular(folder, name, OUTPUT_BYTES_MAX);
    for (const part of bytes === null ? [] : numbersOf(bytes)) hash.update(part);
  }
  return hash.digest('hex');
}

/** Bits of what a candidate left; a folder that cannot be read is told by that alone. */
export function bitsOrNone(folder: string): string {
  try {
    return bitsIn(folder);
  } catch {
    return 'unreadable';
  }
}
