import { describe, expect, it } from 'vitest';
import { drawCase } from '../../case/draw-case.ts';
import { certify, recomputedKeys } from '../../kernels/float64/certify.ts';
import { keyReaders } from '../../kernels/float64/features.ts';
import { mapTensor, tensorOf, toFlat } from '../../numbers/tensor.ts';
import { weightedKeys } from './weighted.ts';

const shape = { batch: 2, heads: 4, kv_heads: 2, seq_q: 5, seq_kv: 140, head_dim: 6 } as const;
const run = { rows: [0, 3], threads: 1 };

describe('what the weights make of the keys’ magnitudes', () => {
  it('is what attention makes of them as values, its radius added', () => {
    const c = drawCase(3, { ...shape, dropout_rate: 0.25, sink: true, wants: ['out'] });
    const { dropout_keep: _, ...inputs } = c.inputs;
    const parameters = { ...c.parameters, dropout_rate: 0, head_dim_v: 6 };
    const values = { ...inputs, v: mapTensor(inputs.k!, Math.abs) };
    const { out } = certify({ ...c, parameters, inputs: values }, { rows: run.rows });
    const radii = toFlat(out!.radius);
    const found = weightedKeys(c, { ...run, keyErrors: null });
    expect([...found]).toEqual(toFlat(out!.mid).map((x, n) => x + radii[n]!));
  });

  it('is what it is of keys as the kernels recompute them, and a little more for their errors', () => {
    const c = drawCase(3, { ...shape, dim_y: 7, gradients: false });
    const { k } = keyReaders(c);
    const keys = new Float64Array(2 * 2 * 140 * 6);
    for (let head = 0; head < 4; head++) {
      for (let j = 0; j < 140; j++) k.row(head >> 1, head & 1, j, keys, (head * 140 + j) * 6);
    }
    const { dim_y: _, ...parameters } = c.parameters;
    const { q } = c.inputs;
    const given = { ...c, parameters, inputs: { q: q!, k: tensorOf(keys, [2, 2, 140, 6]) } };
    const found = weightedKeys(c, { ...run, keyErrors: null });
    const least = weightedKeys(given, { ...run, keyErrors: null });
    expect([found.length, found.every((x, n) => x > least[n]!)]).toEqual([96, true]);
    expect(found.every((x, n) => x < least[n]! * (1 + 2 ** -30))).toBe(true);
  });

  it.each([1, 2])('is bit for bit the same with errors found before, on %d threads', (threads) => {
    const c = drawCase(3, { ...shape, dim_y: 7, gradients: false });
    const { errors: keyErrors } = recomputedKeys(c, threads);
    const anew = weightedKeys(c, { ...run, keyErrors: null });
    expect(weightedKeys(c, { ...run, threads, keyErrors })).toEqual(anew);
    const rows = run.rows;
    expect(certify(c, { rows, threads, keyErrors })).toEqual(certify(c, { rows, threads }));
  });
});
