import { describe, expect, it } from 'vitest';
import { drawCase } from '../case/draw-case.ts';
import { evaluate } from '../definition/reference.ts';
import { certify } from '../kernels/float64/certify.ts';
import { big } from '../numbers/big.ts';
import { toFlat } from '../numbers/tensor.ts';
import { containment, hostileCase } from '../testing/containment.ts';
import { kernelBalls } from '../testing/kernel-balls.ts';
import { KERNEL_LEVEL } from './kernel-level.ts';
import { oracle } from './oracle.ts';

describe('the kernels as a level of the ladder', () => {
  it('miss no truth of any feature', () => {
    let bounded = 0;
    for (let seed = 300; seed < 331; seed++) {
      const [name, c] = hostileCase(seed);
      const { missed, checked, unbounded } = containment(kernelBalls, c, 80);
      expect([name, missed]).toEqual([name, []]);
      bounded += checked - unbounded;
    }
    expect(bounded).toBeGreaterThan(3000);
  });

  it('leave what overflows to later levels, which answer it rightly', () => {
    const c = drawCase(3, {
      dtype: 'f64',
      adjust: ({ q }) => {
        q?.set(0, 0, 0, 0, 1e200);
        q?.set(0, 0, 0, 1, -1e200);
      },
      scale: 1e200,
      wants: ['out', 'lse'],
      gradients: false,
    });
    expect(certify(c).out?.radius.get(0, 0, 0, 0)).toBe(Number.POSITIVE_INFINITY);
    const { values, undecided, decidedBy } = oracle(c, { format: 'f32' });
    expect(undecided).toEqual([]);
    const later = Object.entries(decidedBy).filter(([level]) => level !== KERNEL_LEVEL);
    expect(later.length).toBeGreaterThan(0);
    const system = big(60);
    const truth = evaluate(system, c);
    toFlat(values.out!).forEach((value, n) => {
      const exact = toFlat(truth.out!)[n];
      expect(value).toBe(Math.fround(exact === null ? 0 : Number(exact)));
    });
  });

  it('decide nearly all of a large case', () => {
    const c = drawCase(8, { heads: 2, kv_heads: 1, seq_q: 64, seq_kv: 512, head_dim: 16 });
    const { undecided, decidedBy } = oracle(c, { format: 'bf16' });
    expect(undecided).toEqual([]);
    const total = Object.values(decidedBy).reduce((sum, n) => sum + n, 0);
    expect((decidedBy[KERNEL_LEVEL] ?? 0) / total).toBeGreaterThan(0.999);
  });
});
