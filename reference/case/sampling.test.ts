import { describe, expect, it } from 'vitest';
import { block, toFlat } from '../numbers/tensor.ts';
import { oracle } from '../oracle/oracle.ts';
import { FEATURE_CASES } from '../testing/feature-cases.ts';
import { drawCase } from './draw-case.ts';
import { drawPositions } from './sampling.ts';

describe('a sample of the oracle', () => {
  for (const [feature, changes] of FEATURE_CASES) {
    it(`is bit for bit that part of the whole answer, with ${feature}`, () => {
      const c = drawCase(21, { ...changes, dtype: 'f64' });
      const { seq_q, seq_kv } = c.parameters;
      const [rows, keys] = [drawPositions(3, 2, seq_q), drawPositions(4, 2, seq_kv)];
      const format = 'f32';
      const whole = oracle(c, { format });
      const part = oracle(c, { format, rows, keys });
      expect(part.notSampled).toEqual(
        c.parameters.wants.filter((name) => ['d_bias', 'd_sink', 'd_w_k', 'd_w_v'].includes(name)),
      );
      let compared = 0;
      for (const name of c.parameters.wants) {
        const [a, b] = [whole.values[name]!, part.values[name]];
        if (b === undefined) continue;
        const axis = name === 'd_y' ? 1 : 2;
        const chosen = ['out', 'lse', 'd_q'].includes(name) ? rows : keys;
        expect(b.shape).toEqual(a.shape.map((n, at) => (at === axis ? chosen.length : n)));
        chosen.forEach((from, to) => {
          expect(toFlat(block(b, axis, to, 1))).toEqual(toFlat(block(a, axis, from, 1)));
          compared++;
        });
      }
      expect(compared).toBeGreaterThan(0);
    });
  }

  it('draws different positions, rising, the same for a seed, all when there are no more', () => {
    for (let seed = 0; seed < 50; seed++) {
      const drawn = drawPositions(seed, 5, 9);
      expect(drawn).toEqual([...new Set(drawn)].sort((a, b) => a - b));
      expect([drawn.length, Math.min(...drawn) >= 0, Math.max(...drawn) < 9]).toEqual([
        5,
        true,
        true,
      ]);
      expect(drawPositions(seed, 5, 9)).toEqual(drawn);
    }
    expect(drawPositions(1, 20, 4)).toEqual([0, 1, 2, 3]);
    expect(drawPositions(1, 0, 4)).toEqual([]);
  });

  it('refuses an answer that no memory holds, before it reads anything', () => {
    const { parameters, inputs } = drawCase(1);
    const huge = { ...parameters, heads: 16, kv_heads: 16, seq_kv: 2 ** 24, head_dim: 128 };
    const c = { parameters: huge, inputs, judging: 'random' } as const;
    expect(() => oracle(c, { rows: [0] })).toThrow(
      `"d_k" expected at most ${2 ** 30} elements to answer for, got ${2 ** 35}: choose rows and keys`,
    );
  });

  it('refuses what is no position', () => {
    const c = drawCase(1);
    expect(() => oracle(c, { rows: [4] })).toThrow('"rows" expected positions in 0..3, got 4');
    expect(() => oracle(c, { keys: [-1] })).toThrow('"keys" expected positions in 0..8, got -1');
    expect(() => oracle(c, { rows: 1.5 })).toThrow('"rows" expected a whole number');
    expect(() => oracle(c, { format: 'f8' as 'f64' })).toThrow('"format" expected one of f64,');
  });
});
