import { describe, expect, it } from 'vitest';
import type { OutputName } from '../case/case.ts';
import { outputShape } from '../case/case-shapes.ts';
import { drawCase } from '../case/draw-case.ts';
import { UNKNOWN } from '../numbers/enclosure.ts';
import { containment, hostileCase } from '../testing/containment.ts';
import { DOUBLE_LEVEL } from './double-level.ts';
import type { OpenElements } from './open-elements.ts';
import { oracle } from './oracle.ts';

describe('the double-double kernels as a level of the ladder', () => {
  it('miss no truth of any feature', () => {
    let [bounded, all] = [0, 0];
    for (let seed = 300; seed < 331; seed++) {
      const [name, c] = hostileCase(seed);
      const { missed, checked, unbounded } = containment(DOUBLE_LEVEL, c, 80);
      expect([name, missed.slice(0, 3)]).toEqual([name, []]);
      bounded += checked - unbounded;
      all += checked;
    }
    expect(bounded / all).toBeGreaterThan(0.7);
  });

  it('try float64 weights first where many rows are open, and go on where these decide nothing', () => {
    const shape = { heads: 2, kv_heads: 1, seq_q: 70, seq_kv: 40, dtype: 'f64' } as const;
    const c = drawCase(8, {
      ...{ ...shape, wants: ['out', 'lse'] },
      adjust: ({ v }) => {
        // Just above the middle of two f32 numbers, in one column.
        for (let j = 0; j < 40; j++) v?.set(0, 0, j, 1, 1 + 2 ** -24 + 2 ** -52);
      },
    });
    const shapes = (name: OutputName) => outputShape(c, name);
    const width = c.parameters.head_dim_v;
    const all = (count: number) => Array.from({ length: count }, (_, flat) => flat);
    const open: OpenElements = new Map([
      ['out', all(140 * width)],
      ['lse', all(140)],
    ]);
    const [f32, f64] = (['f32', 'f64'] as const).map((format) =>
      DOUBLE_LEVEL.enclose(c, open, shapes, format),
    );
    let wider = 0;
    for (const [name, flats] of open) {
      for (const flat of flats) {
        const [short, full] = [f32!(name, flat), f64!(name, flat)];
        expect([name, flat, short.rounded]).toEqual([name, flat, Math.fround(full.hi)]);
        expect(short.lo <= full.lo && full.hi <= short.hi).toBe(true);
        if (name === 'out' && short.hi - short.lo > 8 * (full.hi - full.lo)) wider++;
        else expect([name, name === 'out' ? flat % width : 1]).toEqual([name, 1]);
      }
    }
    expect(wider).toBe(140 * (width - 1));
    expect(f32!('out', 1)).toEqual({ ...f64!('out', 1), rounded: 1 + 2 ** -23 });
    // Of fewer rows the whole at once.
    const few: OpenElements = new Map([['out', [0, 1]]]);
    const one = DOUBLE_LEVEL.enclose(c, few, shapes, 'f32')('out', 0);
    expect([one.lo, one.hi]).toEqual([f64!('out', 0).lo, f64!('out', 0).hi]);
  });

  it('decide single elements in f64', () => {
    const shape = { batch: 2, heads: 2, kv_heads: 1, seq_q: 16, seq_kv: 64, head_dim: 16 };
    const c = drawCase(8, { ...shape, dim_y: 3 });
    const open: OpenElements = new Map([
      ['out', [0, 5, 63]],
      ['d_k', [7, 64 * 16 + 9 * 16]],
      ['d_y', [4, 64 * 3 + 63 * 3 + 2]],
      ['d_w_v', [1]],
    ]);
    const shapes = (name: OutputName) => outputShape(c, name);
    const at = DOUBLE_LEVEL.enclose(c, open, shapes, 'f64');
    const { values } = oracle(c, { format: 'f64' });
    for (const [name, flats] of open) {
      for (const flat of flats) {
        expect([name, flat, at(name, flat).rounded]).toEqual([
          name,
          flat,
          values[name]?.data[flat],
        ]);
      }
    }
    // Of other keys nothing is computed, of the same keys everything.
    expect([at('d_y', 6), at('d_y', 5).rounded]).toEqual([UNKNOWN, values.d_y?.data[5]]);
  });
});
