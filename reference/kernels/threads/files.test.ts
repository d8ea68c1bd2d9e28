import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AttentionCase, CaseInputs, InputName } from '../../case/case.ts';
import { type CaseChanges, drawCase } from '../../case/draw-case.ts';
import { fileStorage } from '../../files/stored-file.ts';
import { rangedTensor, type Tensor, toFlat } from '../../numbers/tensor.ts';
import { certifyDouble } from '../double/double-certify.ts';
import { certify } from '../float64/certify.ts';
import { sharedCase, shareInputs } from './shared.ts';

/** Calls `use` with the case over inputs that stay in a file. */
function inFile(c: AttentionCase, use: (stored: AttentionCase) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'xattn-'));
  const entries = Object.entries(c.inputs).map(([name, tensor]) => ({
    ...{ name, shape: tensor.shape },
    data: Float64Array.from(toFlat(tensor)),
  }));
  const file = join(folder, 'inputs');
  writeFileSync(file, Buffer.concat(entries.map(({ data }) => Buffer.from(data.buffer))));
  const descriptor = openSync(file, 'r');
  try {
    const inputs: CaseInputs = {};
    let begin = 0;
    for (const { name, shape, data } of entries) {
      const range = { descriptor, name, dtype: 'F64', begin, length: data.length } as const;
      inputs[name as InputName] = rangedTensor(fileStorage(range), shape);
      begin += data.length * 8;
    }
    use({ ...c, inputs });
  } finally {
    closeSync(descriptor);
    rmSync(folder, { recursive: true });
  }
}

/** Of the bits of each output, plane by plane. */
const bits = (certified: object) =>
  Object.entries(certified).map(([name, planes]) => [
    name,
    ...Object.values(planes as object).map((plane: Float64Array | Tensor) => {
      const flat = plane instanceof Float64Array ? plane : Float64Array.from(toFlat(plane));
      return createHash('sha256').update(new Uint8Array(flat.buffer)).digest('hex');
    }),
  ]);

describe('kernels on threads, over tensors in a file', () => {
  const shape = { batch: 2, heads: 4, kv_heads: 2, seq_q: 5, seq_kv: 270, head_dim: 6 };
  const cases: readonly (readonly [string, CaseChanges])[] = [
    ['keys given', { ...shape, causal: 'bottom-right', bias: [1, 4, 1, 270], sink: true }],
    ['keys recomputed', { ...shape, dim_y: 530, scale: 0.01 }],
  ];
  for (const [name, changes] of cases) {
    it(`give the bits of tensors in memory: ${name}`, () => {
      const c = drawCase(3, changes);
      const [single, double] = [bits(certify(c)), bits(certifyDouble(c))];
      inFile(c, (stored) => {
        for (const threads of [1, 2]) {
          expect(bits(certify(stored, { threads }))).toEqual(single);
          expect(bits(certifyDouble(stored, { threads }))).toEqual(double);
        }
      });
    });
  }

  it('are lent to threads once: what is shared is copied no more, and a file is not copied at all', () => {
    const c = drawCase(3, { ...shape, mask: [270] });
    const once = shareInputs(c, 2);
    expect(shareInputs(c, 1)).toBe(c);
    const { flat } = sharedCase(once, null);
    for (const [key, tensor] of Object.entries(once.inputs)) {
      const given = c.inputs[key as InputName];
      expect([key, toFlat(tensor)]).toEqual([key, toFlat(given!)]);
      expect(tensor.data === given!.data).toBe(false);
      expect(flat.inputs[key as InputName]!.data === tensor.data, key).toBe(true);
    }
    inFile(c, (stored) => {
      const files = shareInputs(stored, 2);
      expect(files.inputs.k === stored.inputs.k).toBe(true);
      expect(bits(certify(files, { threads: 2 }))).toEqual(bits(certify(c)));
    });
  });
});
