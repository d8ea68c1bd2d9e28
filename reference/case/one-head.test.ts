import { describe, expect, it } from 'vitest';
import { certifyDouble } from '../kernels/double/double-certify.ts';
import { certify } from '../kernels/float64/certify.ts';
import { sameRows } from '../kernels/walk/head-rows.ts';
import { block, toFlat } from '../numbers/tensor.ts';
import { oracle } from '../oracle/oracle.ts';
import { FEATURE_CASES } from '../testing/feature-cases.ts';
import { drawCase } from './draw-case.ts';
import { oneHead } from './one-head.ts';

describe('one head of a case', () => {
  for (const [feature, changes] of FEATURE_CASES.filter(([, { dim_y }]) => dim_y === undefined)) {
    it(`has the bits of that head, with ${feature}`, () => {
      const c = drawCase(4, changes);
      const whole = certify(c);
      for (let b = 0; b < c.parameters.batch; b++) {
        for (let h = 0; h < c.parameters.heads; h++) {
          const alone = certify(oneHead(c, b, h));
          for (const name of ['out', 'lse', 'd_q'] as const) {
            const [one, all] = [alone[name], whole[name]];
            if (all === undefined) continue;
            const part = block(block(all.mid, 0, b, 1), 1, h, 1);
            expect([name, b, h, toFlat(one!.mid)]).toEqual([name, b, h, toFlat(part)]);
          }
        }
      }
    });
  }

  it('is not made of a case that recomputes its keys', () => {
    expect(() => oneHead(drawCase(1, { dim_y: 3 }), 0, 0)).toThrow(RangeError);
  });

  it('is all that is computed again of a large case, to the same answer', () => {
    const shape = { heads: 8, kv_heads: 2, seq_q: 64, seq_kv: 4096, head_dim: 64, head_dim_v: 64 };
    const c = drawCase(6, { ...shape, wants: ['out', 'lse'], gradients: false });
    const rows = [5, 60];
    const { values, undecided, decidedBy } = oracle(c, { format: 'f32', rows });
    expect(undecided).toEqual([]);
    expect(decidedBy['double-double']).toBeGreaterThan(0);
    const exact = certifyDouble(c, { rows: sameRows(c.parameters, rows) }).out!;
    toFlat(values.out!).forEach((value, n) => {
      expect([n, value]).toEqual([n, Math.fround(exact.high[n]!)]);
    });
  });
});
