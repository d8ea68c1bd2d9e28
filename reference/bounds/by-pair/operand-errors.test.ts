import { describe, expect, it } from 'vitest';
import { drawCase } from '../../case/draw-case.ts';
import { attention } from '../../definition/attention.ts';
import { lift } from '../../definition/lift.ts';
import { float64Ball } from '../../numbers/balls.ts';
import { float64 } from '../../numbers/float64.ts';
import { tensorOf, toFlat } from '../../numbers/tensor.ts';
import { expectation } from '../../verdict/expectation.ts';
import { errorModel, growth } from '../lemmas/error-model.ts';
import { PROFILES } from '../lemmas/profile.ts';
import { projectionError, projectionTerms } from '../lemmas/step-errors.ts';
import { certifiedCase } from './certified.ts';
import { operandError } from './operands.ts';

describe('the error of recomputed keys', () => {
  for (const batch of [1, 2]) {
    it(`is that of each element's own features and weights, in ${batch} batch entries`, () => {
      const shape = {
        batch,
        heads: 4,
        kv_heads: 2,
        seq_kv: 3,
        head_dim: 3,
        head_dim_v: 2,
        dim_y: 3,
      };
      const c = drawCase(5, { ...shape, dtype: 'f32', gradients: false });
      const model = errorModel(PROFILES.f16, 'f32', null);
      const balls = certifiedCase(c, float64Ball);
      const { k } = operandError(balls, model)!;
      const { y, w_k: w } = c.inputs;
      const expected: number[] = [];
      for (let b = 0; b < batch; b++) {
        for (let g = 0; g < 2; g++) {
          for (let j = 0; j < 3; j++) {
            for (let e = 0; e < 3; e++) {
              let [magnitude, sizes, x] = [0, 0, 0];
              for (let n = 0; n < 3; n++) {
                const [f, a] = [y!.get(b, j, n), w!.get(n, g * 3 + e)];
                magnitude += Math.abs(f * a);
                sizes += Math.abs(f) + Math.abs(a);
                x += f * a;
              }
              expected.push(
                projectionError(projectionTerms(model, 3), { magnitude, sizes, x: Math.abs(x) }),
              );
            }
          }
        }
      }
      expect(k!.length).toBe(expected.length);
      for (const [n, one] of expected.entries()) expect(k![n]! / one).toBeCloseTo(1, 9);
    });
  }
});

describe('a cotangent rounded near zero', () => {
  it('costs dS half a subnormal of the operand format for every unit of V', () => {
    // dO is half way between two f16 subnormals: rounded in dP and not in D, dS is V·2⁻²⁵ off.
    const value = 1024;
    const c = drawCase(1, {
      ...{ heads: 1, seq_q: 1, seq_kv: 1, head_dim: 1, head_dim_v: 1, scale: 1 },
      judging: 'structured',
      dLse: false,
      adjust: (inputs) => {
        for (const [name, x] of [
          ['q', 1],
          ['k', 1],
          ['v', value],
          ['d_out', 1.5 * 2 ** -24],
        ] as const) {
          inputs[name] = tensorOf([x], [1, 1, 1, 1]);
        }
      },
    });
    const [bound] = toFlat(expectation(c, 'f16').worstCase.of('d_q', 2 ** -24)!);
    expect(bound).toBeGreaterThan(value * 2 ** -25);
    // Without V's share only the product's own roundings are left, some 10⁻⁷ of V·dO.
    expect(bound).toBeLessThan(value * 2 ** -20);
  });
});

describe('the maximum', () => {
  it('is that of the row, wherever it stands, so that nothing overflows', () => {
    for (const places of [
      [1, 1000],
      [1000, 1],
    ]) {
      const c = drawCase(1, {
        ...{
          heads: 1,
          seq_q: 1,
          seq_kv: 2,
          head_dim: 1,
          head_dim_v: 1,
          scale: 1,
          gradients: false,
        },
        adjust: (inputs) => {
          inputs.q = tensorOf([1], [1, 1, 1, 1]);
          inputs.k = tensorOf(places, [1, 1, 2, 1]);
        },
      });
      const { rows, out } = attention(lift(float64, c));
      expect(rows.get(0, 0, 0)).toEqual({ m: 1000, l: 1 });
      expect(Number.isFinite(out.get(0, 0, 0, 0))).toBe(true);
    }
  });
});

describe('growth', () => {
  it('is at least e^T − 1, T + T² up to one and e^T beyond', () => {
    expect([growth(0), growth(0.5), growth(1)]).toEqual([0, 0.75, 2]);
    for (const t of [1.001, 2, 5, 20]) {
      expect(growth(t)).toBeGreaterThan(Math.exp(t) * (1 - 1e-12));
      expect(growth(t)).toBeLessThan(Math.exp(t) * (1 + 1e-12));
    }
  });
});
