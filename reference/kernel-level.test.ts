import { describe, expect, it } from 'vitest';
import { drawCase } from './draw-case.ts';
import { KERNEL_LEVEL } from './kernel-level.ts';
import { oracle } from './oracle.ts';
import { containment, hostileCase } from './testing/containment.ts';
import { kernelBalls } from './testing/kernel-balls.ts';

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

  it('decide nearly all of a large case', () => {
    const c = drawCase(8, { heads: 2, kv_heads: 1, seq_q: 64, seq_kv: 512, head_dim: 16 });
    const { undecided, decidedBy } = oracle(c, { format: 'bf16' });
    expect(undecided).toEqual([]);
    const total = Object.values(decidedBy).reduce((sum, n) => sum + n, 0);
    expect((decidedBy[KERNEL_LEVEL] ?? 0) / total).toBeGreaterThan(0.999);
  });
});
