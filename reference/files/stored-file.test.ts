import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AttentionCase } from '../case/case.ts';
import { type CaseChanges, drawCase } from '../case/draw-case.ts';
import { certify } from '../kernels/float64/certify.ts';
import { STORED_DTYPES } from '../numbers/stored-dtype.ts';
import { forEachRun, isRanged, tensorOf, toFlat } from '../numbers/tensor.ts';
import { oracle } from '../oracle/oracle.ts';
import { FEATURE_CASES } from '../testing/feature-cases.ts';
import { openCase, readCase, writeCase } from './case-folder.ts';
import { writeSafetensors } from './safetensors.ts';
import { fileStorage, openSafetensors } from './stored-file.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xattn-ranges-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const inputsFile = () => join(folder, 'inputs.safetensors');

/** The case of these changes, read in ranges whatever its size. */
function inRanges<T>(
  changes: CaseChanges,
  use: (opened: AttentionCase, whole: AttentionCase) => T,
) {
  writeCase(folder, drawCase(3, changes));
  const { attentionCase, close } = openCase(folder, { whole: 0 });
  try {
    return use(attentionCase, readCase(folder));
  } finally {
    close();
  }
}

describe('tensors read in ranges', () => {
  for (const dtype of ['f64', 'f32', 'f16', 'bf16'] as const) {
    it(`are the tensors read whole, for every feature in ${dtype}`, () => {
      for (const [, changes] of FEATURE_CASES) {
        inRanges({ ...changes, dtype }, (opened, whole) => {
          for (const [name, tensor] of Object.entries(whole.inputs)) {
            const ranged = opened.inputs[name as 'q']!;
            expect(isRanged(ranged.data)).toBe(true);
            expect(toFlat(ranged)).toEqual(toFlat(tensor));
            const runs: number[] = [];
            forEachRun(ranged, (start, run) => {
              expect(start).toBe(runs.length);
              runs.push(...run);
            });
            expect(runs).toEqual(toFlat(tensor));
          }
        });
      }
    });
  }

  it('give the oracle the same bits, sampled or not, on one thread and on two', () => {
    for (const [, changes] of FEATURE_CASES) {
      inRanges({ ...changes, dtype: 'f32' }, (opened, whole) => {
        const sample = { format: 'f32', rows: [0], keys: [] } as const;
        for (const options of [{ format: 'bf16' } as const, sample]) {
          expect(oracle(opened, options)).toEqual(oracle(whole, options));
        }
        const flat = (c: AttentionCase, threads: number) =>
          Object.entries(certify(c, { threads })).map(([name, { mid, radius }]) => [
            name,
            toFlat(mid),
            toFlat(radius),
          ]);
        expect(flat(opened, 2)).toEqual(flat(whole, 1));
      });
    }
  });

  it('hold every dtype, longer than a page and than what is read at once', () => {
    const count = 2 ** 18 + 4099;
    const values = Float64Array.from({ length: count }, (_, n) => n % 2);
    for (const dtype of STORED_DTYPES) {
      const bytes = writeSafetensors([
        { name: 'before', dtype: 'U8', tensor: tensorOf([1, 2, 3], [3]) },
        { name: 'x', dtype, tensor: tensorOf(values, [count]) },
      ]);
      const descriptor = openSync(inputsFile(), 'w+');
      writeSync(descriptor, bytes);
      const { tensor } = openSafetensors(descriptor, bytes.length).tensors.get('x')!;
      const read = new Float64Array(count);
      forEachRun(tensor, (start, run) => read.set(run, start));
      expect(read.findIndex((x, n) => x !== n % 2)).toBe(-1);
      for (const n of [0, 4095, 4096, count - 1, 5, 8191]) expect(tensor.get(n)).toBe(n % 2);
      closeSync(descriptor);
    }
  });
});

describe('a file that is read in ranges', () => {
  const open = () => openCase(folder, { whole: 0 });

  /** Writes a drawn case, and bytes over its inputs at a position from the end. */
  function damaged(changes: CaseChanges, bytes: Uint8Array, fromEnd: number): void {
    writeCase(folder, drawCase(3, changes));
    const descriptor = openSync(inputsFile(), 'r+');
    writeSync(descriptor, bytes, 0, bytes.length, statSync(inputsFile()).size - fromEnd);
    closeSync(descriptor);
  }

  /** A file of this header alone, as long as `size` says; sparse. */
  function headed(header: object, size: number): void {
    writeCase(folder, drawCase(3));
    const text = new TextEncoder().encode(JSON.stringify(header));
    const prefix = new Uint8Array(8);
    new DataView(prefix.buffer).setBigUint64(0, BigInt(text.length), true);
    const descriptor = openSync(inputsFile(), 'w');
    writeSync(descriptor, prefix);
    writeSync(descriptor, text);
    ftruncateSync(descriptor, size);
    closeSync(descriptor);
  }

  it('is held against its size before anything is read, however large it claims to be', () => {
    const entry = (shape: number[], data_offsets: number[]) => ({
      dtype: 'F32',
      shape,
      data_offsets,
    });
    const huge = 2 ** 40;
    headed({ q: entry([2 ** 38], [0, huge]) }, 2 ** 20);
    expect(open).toThrow('the file is truncated');
    headed({ q: entry([2 ** 38], [0, 4]) }, 2 ** 20);
    expect(open).toThrow(`"q" expected ${huge} bytes for F32 [${2 ** 38}], got 4`);
    headed({ q: entry([2 ** 52, 2 ** 52], [0, 4]) }, 2 ** 20);
    expect(open).toThrow('"q" expected');
    headed({ q: entry([1], [2 ** 19, 2 ** 19 + 4]) }, 2 ** 20);
    expect(open).toThrow('"q" expected to begin at byte 0');
    headed({}, 0);
    expect(open).toThrow('at least 8 bytes, got 0');
    headed({}, 9);
    expect(open).toThrow('safetensors header expected at most 1 bytes, got 2');
    // A tebibyte of holes: shapes are refused before an element is read.
    const q = { q: entry([2 ** 38], [0, huge]) };
    headed(q, huge + 8 + JSON.stringify(q).length);
    expect(open).toThrow('"k" expected a tensor, got none');
  });

  it('that ends before its header says is refused, at the first look and at a later one', () => {
    writeCase(folder, drawCase(3));
    const { size } = statSync(inputsFile());
    const descriptor = openSync(inputsFile(), 'r+');
    const { tensors } = openSafetensors(descriptor, size);
    ftruncateSync(descriptor, size - 4);
    expect(open).toThrow('the file is truncated');
    const last = tensors.get('d_lse')!;
    expect(() => forEachRun(last.tensor, () => undefined)).toThrow(
      /the file is shorter than its header says/,
    );
    closeSync(descriptor);
  });

  it('may hold NaN and infinities only in keys that nobody attends to', () => {
    const nan = new Uint8Array(new Float32Array([Number.NaN]).buffer);
    const order = { dtype: 'f32', gradients: false, seq_kv: 3 } as const;
    damaged(order, nan, 4); // the last element is V's, of the last key
    expect(open).toThrow(
      /"v\[0, 0, 2, \d+\]" expected a finite number at a key that is attended to/,
    );
    damaged({ ...order, lengths: [2] }, nan, 4 + 8);
    const opened = open();
    const { v } = opened.attentionCase.inputs;
    expect(v?.get(...v.shape.map((n) => n - 1))).toBe(Number.NaN);
    opened.close();
    damaged({ dtype: 'f32' }, nan, 4);
    expect(open).toThrow(/"d_lse\[0, 1, 3\]" expected a finite f32 number, got "NaN"/);
  });

  it('is not written to', () => {
    inRanges({}, ({ inputs }) => {
      expect(() => inputs.q?.set(0, 0, 0, 0, 1)).toThrow('expected not to be set');
    });
  });

  it('is not read outside of a tensor', () => {
    const range = { descriptor: 0, name: 'k', dtype: 'F32', begin: 0, length: 4 } as const;
    expect(() => fileStorage(range).read(2, new Float64Array(3))).toThrow(
      '"k" expected a range in 0..4, got 2..5',
    );
  });
});
