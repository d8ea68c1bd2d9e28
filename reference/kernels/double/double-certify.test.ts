import { describe, expect, it } from 'vitest';
import type { OutputName } from '../../case/case.ts';
import { drawCase } from '../../case/draw-case.ts';
import { hostileCase } from '../../testing/containment.ts';
import { doubleContainment } from '../../testing/double-containment.ts';
import { FEATURE_CASES } from '../../testing/feature-cases.ts';
import { sameRows } from '../walk/head-rows.ts';
import { certifyDouble } from './double-certify.ts';

describe('certifyDouble', () => {
  for (const [name, changes] of FEATURE_CASES) {
    it(`encloses the truth: ${name}`, () => {
      for (const seed of [1, 2]) {
        const c = drawCase(seed, changes);
        const { missed, finite, all, widest } = doubleContainment(c);
        expect(missed).toEqual([]);
        expect(finite).toBe(all);
        const done = Object.keys(certifyDouble(c));
        expect(done.sort()).toEqual([...c.parameters.wants].sort());
        expect(widest).toBeLessThan(1e-14);
      }
    });
  }

  it('encloses the truth with float64 weights, of every feature', () => {
    for (const [name, changes] of FEATURE_CASES) {
      const c = drawCase(3, { ...changes, wants: ['out', 'lse'] });
      const { missed, finite, all, worst } = doubleContainment(c, undefined, { short: true });
      expect([name, missed]).toEqual([name, []]);
      expect([name, finite]).toEqual([name, all]);
      // All weights are 1, or none is left to divide by.
      const exact = ['scale 0', 'one key', 'no keys', 'no keys but a sink', 'empty rows'];
      expect([name, worst > 1e-3 || exact.includes(name)]).toEqual([name, true]);
    }
  });

  it('encloses the truth on hostile values', () => {
    let checked = 0;
    for (let seed = 500; seed < 560; seed++) {
      const [name, c] = hostileCase(seed);
      const { missed, finite } = doubleContainment(c);
      expect([name, missed]).toEqual([name, []]);
      checked += finite;
      if (seed % 4 > 0) continue;
      const forward = {
        ...c,
        parameters: { ...c.parameters, wants: ['out', 'lse'] as OutputName[] },
      };
      const short = doubleContainment(forward, undefined, { short: true });
      expect([name, short.missed]).toEqual([name, []]);
    }
    expect(checked).toBeGreaterThan(3000);
  });

  const mixed = { heads: 2, kv_heads: 1, head_dim: 5, head_dim_v: 3, batch: 1, sink: true };
  const seen = { causal: 'bottom-right', dropout_rate: 0.25 } as const;
  const large = drawCase(5, { ...mixed, ...seen, seq_q: 137, seq_kv: 521, bias: [1, 1, 1, 521] });

  it('encloses the truth over many tiles, and is not far wider than its errors', () => {
    // Several ranges of keys, then several tiles of rows.
    for (const [seq_q, seq_kv] of [
      [3, 521],
      [131, 9],
    ] as const) {
      const c = drawCase(7, { ...mixed, ...seen, seq_q, seq_kv, bias: [1, 1, 1, seq_kv] });
      const { missed, finite, all, worst } = doubleContainment(c);
      expect(missed.slice(0, 5)).toEqual([]);
      expect(finite).toBe(all);
      // A radius a million times the largest error would be worthless, and hide a wrong one.
      expect(worst).toBeGreaterThan(1e-6);
    }
  });

  it('encloses the truth where components fill more than one sum', () => {
    const wide = drawCase(6, { seq_q: 3, seq_kv: 5, head_dim: 131, head_dim_v: 260, heads: 1 });
    const { missed, finite, all } = doubleContainment(wide);
    expect(missed).toEqual([]);
    expect(finite).toBe(all);
  });

  it('encloses the truth where features fill more than one tile or sum', () => {
    for (const changes of [
      { seq_kv: 521, dim_y: 2, head_dim: 2 },
      { seq_kv: 5, dim_y: 131, head_dim: 3 },
      { seq_kv: 4, dim_y: 3, head_dim: 70, kv_heads: 2 },
    ]) {
      const c = drawCase(9, { heads: 2, kv_heads: 1, head_dim_v: 3, seq_q: 2, ...changes });
      const { missed, finite, all, worst } = doubleContainment(c);
      expect(missed.slice(0, 5)).toEqual([]);
      expect(finite).toBe(all);
      expect(worst).toBeGreaterThan(1e-6);
    }
  });

  it('carries the error of dK where it is all there is', () => {
    // Equal features make equal values, so that dP − D is nothing but what was lost.
    const c = drawCase(10, {
      ...{ heads: 2, kv_heads: 1, head_dim: 3, head_dim_v: 3, seq_q: 4, seq_kv: 6, dim_y: 3 },
      adjust: ({ y }) => {
        for (let j = 0; j < 6; j++) {
          for (let l = 0; l < 3; l++) y?.set(0, j, l, y.get(0, 0, l));
        }
      },
    });
    const { missed, finite, all } = doubleContainment(c);
    expect(missed).toEqual([]);
    expect(finite).toBe(all);
  });

  it('gives chosen rows and keys the same numbers as all of them', () => {
    const whole = certifyDouble(large);
    const [rows, keys] = [
      [0, 5, 127, 128, 136],
      [3, 128, 511, 512, 520],
    ];
    const chosen = certifyDouble(large, { rows: sameRows(large.parameters, rows), keys });
    // Sums over the whole case are in no sample.
    expect(Object.keys(whole)).toEqual(expect.arrayContaining(['d_bias', 'd_sink']));
    const sampled = Object.keys(whole).filter((name) => name !== 'd_bias' && name !== 'd_sink');
    expect(Object.keys(chosen).sort()).toEqual(sampled.sort());
    const pick = (name: 'out' | 'd_q' | 'd_k' | 'd_v', count: number, list: number[]) => {
      const flat = whole[name]!.high;
      const heads = name === 'out' || name === 'd_q' ? 2 : 1;
      const width = flat.length / heads / count;
      return Array.from({ length: heads }, (_, h) =>
        list.map((i) => [...flat.slice((h * count + i) * width, (h * count + i + 1) * width)]),
      ).flat(2);
    };
    for (const name of ['out', 'd_q'] as const) {
      expect([name, [...chosen[name]!.high]]).toEqual([name, pick(name, 137, rows)]);
    }
    for (const name of ['d_k', 'd_v'] as const) {
      expect([name, [...chosen[name]!.high]]).toEqual([name, pick(name, 521, keys)]);
    }
  });
});
