import {
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AttentionCase, OutputName, Outputs } from '../case/case.ts';
import { drawCase } from '../case/draw-case.ts';
import { referenceOutputs } from '../definition/reference.ts';
import { block, tensorOf, toFlat } from '../numbers/tensor.ts';
import { FEATURE_CASES } from '../testing/feature-cases.ts';
import { readCase, writeCase, writeOutputs } from './case-folder.ts';
import { readOutputs } from './given-outputs.ts';
import { writeSafetensors } from './safetensors.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xattn-case-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const flat = (c: AttentionCase) =>
  Object.fromEntries(Object.entries(c.inputs).map(([name, t]) => [name, [t.shape, toFlat(t)]]));

describe('case folders', () => {
  for (const dtype of ['f64', 'f32', 'f16', 'bf16'] as const) {
    it(`round trip every feature in ${dtype}`, () => {
      for (const [, changes] of FEATURE_CASES) {
        const c = drawCase(3, { ...changes, dtype });
        writeCase(folder, c);
        const back = readCase(folder);
        expect(back.parameters).toEqual(c.parameters);
        expect(back.judging).toBe('random');
        expect(flat(back)).toEqual(flat(c));
      }
    });
  }

  it('keep poison at masked keys', () => {
    const adjust = (inputs: AttentionCase['inputs']) => {
      inputs.mask = tensorOf([1, 0, 1], [3]);
      inputs.k?.set(0, 0, 1, 0, Number.NaN);
      inputs.v?.set(0, 0, 1, 0, Number.POSITIVE_INFINITY);
    };
    writeCase(folder, drawCase(3, { seq_kv: 3, adjust }));
    const back = readCase(folder);
    expect([back.inputs.k?.get(0, 0, 1, 0), back.inputs.v?.get(0, 0, 1, 0)]).toEqual([
      Number.NaN,
      Infinity,
    ]);
  });

  it('say what is missing or wrong', () => {
    expect(() => readCase(join(folder, 'none'))).toThrow(/"CASE_DIR" expected a case folder/);
    expect(() => readCase(folder)).toThrow(/"case.json" expected a file/);
    writeCase(folder, drawCase(1));
    rmSync(join(folder, 'inputs.safetensors'));
    expect(() => readCase(folder)).toThrow(/"inputs.safetensors" expected a file/);
    writeCase(folder, drawCase(1));
    writeFileSync(join(folder, 'case.json'), '{"schema":');
    expect(() => readCase(folder)).toThrow(/"case.json" expected JSON/);
    writeFileSync(join(folder, 'case.json'), 'null');
    expect(() => readCase(folder)).toThrow(RangeError);
  });

  it('refuse inputs of another dtype than the case says', () => {
    writeCase(folder, drawCase(1, { dtype: 'f32' }));
    const json = readFileSync(join(folder, 'case.json'), 'utf8').replace('"f32"', '"f64"');
    writeFileSync(join(folder, 'case.json'), json);
    expect(() => readCase(folder)).toThrow(/"q" expected F64, got F32/);
  });
});

describe('outputs of a candidate', () => {
  const partition = { ranks: 3, q: [3, 0, 1], kv: [2, 4, 3] };
  const c = drawCase(4, { partition, dim_y: 3, sink: true, bias: [1, 1, 1, 9] });
  const outputs = referenceOutputs(c);
  const reasonOf = (): string => {
    const read = readOutputs(folder, c);
    return read.ok ? 'ok' : read.reason;
  };

  it('come back as written', () => {
    writeOutputs(folder, outputs, 'F64');
    const read = readOutputs(folder, c);
    if (!read.ok) throw new Error(read.reason);
    for (const name of c.parameters.wants)
      expect(toFlat(read.outputs[name]!.tensor)).toEqual(toFlat(outputs[name]!));
  });

  /** What rank r writes: its rows, its keys, and everything that belongs to the whole case. */
  const shardOf = (rank: number): Outputs => {
    const at = (sizes: number[]) =>
      [sizes.slice(0, rank).reduce((a, b) => a + b, 0), sizes[rank]!] as const;
    const axes: Partial<Record<OutputName, [number, 'q' | 'kv']>> = {
      out: [2, 'q'],
      lse: [2, 'q'],
      d_q: [2, 'q'],
      d_k: [2, 'kv'],
      d_v: [2, 'kv'],
      d_y: [1, 'kv'],
    };
    return Object.fromEntries(
      Object.entries(outputs).map(([name, tensor]) => {
        const place = axes[name as OutputName];
        return [
          name,
          place === undefined ? tensor : block(tensor, place[0], ...at(partition[place[1]])),
        ];
      }),
    );
  };

  it('are gathered from one file per rank', () => {
    for (const rank of [0, 1, 2])
      writeOutputs(folder, shardOf(rank), 'F32', `outputs.rank${rank}.safetensors`);
    const read = readOutputs(folder, c);
    if (!read.ok) throw new Error(read.reason);
    for (const name of c.parameters.wants) {
      expect(toFlat(read.outputs[name]!.tensor)).toEqual(toFlat(outputs[name]!).map(Math.fround));
    }
    rmSync(join(folder, 'outputs.rank2.safetensors'));
    expect(reasonOf()).toMatch(/"outputs.rank2.safetensors" expected a file/);
    writeOutputs(folder, shardOf(0), 'F32', 'outputs.rank2.safetensors');
    expect(reasonOf()).toMatch(
      /"out" in outputs.rank2.safetensors expected shape \[1, 2, 1, 6\], rank 2's 1 of 4 queries, got \[1, 2, 3, 6\]/,
    );
  });

  it('are refused with a reason, never an exception', () => {
    expect(reasonOf()).toMatch(/"outputs.safetensors" expected a file/);
    const { lse: _, ...without } = outputs;
    writeOutputs(folder, without, 'F64');
    expect(reasonOf()).toMatch(/"lse" expected a tensor/);
    writeOutputs(folder, { ...outputs, lse: tensorOf([1, 2], [2]) }, 'F64');
    expect(reasonOf()).toMatch(/"lse" in outputs.safetensors expected shape/);
    writeOutputs(folder, outputs, 'F64');
    truncateSync(join(folder, 'outputs.safetensors'), 900);
    expect(reasonOf()).toMatch(/truncated|header/);
    writeFileSync(join(folder, 'outputs.safetensors'), 'garbage');
    expect(reasonOf()).toMatch(/at least 8 bytes/);
    const integers = c.parameters.wants.map((name) => ({
      name,
      dtype: 'I32' as const,
      tensor: tensorOf(
        toFlat(outputs[name]!)
          .map(Math.round)
          .map((x) => x || 0),
        outputs[name]!.shape,
      ),
    }));
    writeFileSync(join(folder, 'outputs.safetensors'), writeSafetensors(integers));
    expect(reasonOf()).toMatch(
      /"out" in outputs.safetensors expected F64, F32, F16, BF16, got I32/,
    );
    writeFileSync(join(folder, 'outputs.safetensors'), new Uint8Array(2 ** 21));
    expect(reasonOf()).toMatch(/expected at most \d+ bytes/);
  });

  it('are not read through a link that leaves the folder', () => {
    const outside = mkdtempSync(join(tmpdir(), 'xattn-outside-'));
    writeOutputs(outside, outputs, 'F64');
    symlinkSync(join(outside, 'outputs.safetensors'), join(folder, 'outputs.safetensors'));
    expect(reasonOf()).toMatch(/expected a readable regular file/);
    rmSync(outside, { recursive: true });
  });
});
