import { describe, expect, it } from 'vitest';
import { DOUBLE_LEVEL } from './double-level.ts';
import { drawCase } from './draw-case.ts';
import type { OpenElements } from './open-elements.ts';
import { oracle } from './oracle.ts';
import { containment, hostileCase } from './testing/containment.ts';

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

  it('decide single elements in f64', () => {
    const c = drawCase(8, { heads: 2, kv_heads: 1, seq_q: 16, seq_kv: 64, head_dim: 16 });
    const open: OpenElements = new Map([
      ['out', [0, 5, 63]],
      ['d_k', [7]],
    ]);
    const shapes = (name: string) =>
      name === 'out'
        ? [c.parameters.batch, 2, 16, c.parameters.head_dim_v]
        : [c.parameters.batch, 1, 64, 16];
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
  });
});
