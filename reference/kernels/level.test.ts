import { describe, expect, it } from 'vitest';
import { outputShape } from '../case-shapes.ts';
import { drawCase } from '../draw-case.ts';
import { LADDER } from '../ladder.ts';
import type { Level } from '../levels.ts';
import type { OpenElements } from '../open-elements.ts';
import { oracle } from '../oracle.ts';
import { toFlat } from '../tensor.ts';
import { containment, hostileCase } from '../testing/containment.ts';
import { encloseByKernels } from './level.ts';

const kernelLevel: Level = { name: 'kernels', enclose: encloseByKernels };

describe('the kernels as a level of the ladder', () => {
  it('miss no truth of any feature', () => {
    let bounded = 0;
    for (let seed = 300; seed < 331; seed++) {
      const [name, c] = hostileCase(seed);
      const { missed, checked, unbounded } = containment(kernelLevel, c, 80);
      expect([name, missed]).toEqual([name, []]);
      bounded += checked - unbounded;
    }
    expect(bounded).toBeGreaterThan(3000);
  });

  it('enclose chosen elements where they enclose all of them', () => {
    const c = drawCase(3, { heads: 4, kv_heads: 2, seq_q: 12, seq_kv: 20, batch: 2 });
    const shapes = (name: Parameters<typeof outputShape>[1]) => outputShape(c, name);
    const all: OpenElements = new Map();
    const few: OpenElements = new Map();
    for (const name of c.parameters.wants) {
      const count = shapes(name).reduce((n, extent) => n * extent, 1);
      all.set(
        name,
        Array.from({ length: count }, (_, n) => n),
      );
      few.set(name, [1, Math.floor(count / 2), count - 1]);
    }
    const whole = encloseByKernels(c, all, shapes, 'f32');
    const part = encloseByKernels(c, few, shapes, 'f32');
    for (const [name, flats] of few) {
      for (const flat of flats) {
        const [a, b] = [whole(name, flat), part(name, flat)];
        expect([name, flat, a.lo <= b.hi && b.lo <= a.hi]).toEqual([name, flat, true]);
        expect([name, flat, b.rounded]).toEqual([name, flat, a.rounded]);
      }
    }
  });

  it('decide a large case for the oracle, nearly all of it in float64', () => {
    const c = drawCase(8, { heads: 2, kv_heads: 1, seq_q: 64, seq_kv: 512, head_dim: 16 });
    const answer = oracle(c, { format: 'bf16' });
    expect(answer.undecided).toEqual([]);
    const [balls] = LADDER;
    const total = Object.values(answer.decidedBy).reduce((sum, n) => sum + n, 0);
    expect(answer.decidedBy[balls!.name]! / total).toBeGreaterThan(0.999);
    expect(toFlat(answer.values.out!).every(Number.isFinite)).toBe(true);
  });
});
