import type { BigNumber } from 'mathjs';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { drawCase } from '../../case/draw-case.ts';
import { big } from '../../numbers/big.ts';
import { twoSum } from '../../numbers/double-double.ts';
import { addDoubleFeatures, type DoubleFeaturesTask } from '../double/double-feature-gradients.ts';
import { type DoubleSums, newDoubleSums } from '../double/double-sums.ts';
import { kernelProblem } from '../walk/problem.ts';
import { addFeatures, newFeatureGradients } from './feature-gradients.ts';
import { placePart } from './feature-parts.ts';
import { keyReaders } from './features.ts';
import { wholeProduct } from './matrix.ts';

const { fromNumber, zero } = big(80);
const shape = { batch: 2, heads: 2, kv_heads: 2, seq_kv: 7, head_dim: 3, head_dim_v: 2, dim_y: 5 };
const c = drawCase(4, shape);
const { parameters: p, inputs } = c;
const problem = kernelProblem(c, keyReaders(c), null);
const heads = p.batch * p.kv_heads;
/** Two parts of the keys, of unlike lengths. */
const PARTS = [
  { first: 0, keys: [0, 1, 2, 3], keyCount: 7 },
  { first: 4, keys: [4, 5, 6], keyCount: 7 },
];

/** A gradient by parts, each [B, Hkv, keys, width], its errors as large as `error` of each number. */
function drawGradient(width: number, words: 1 | 2, error: number) {
  const generator = xoroshiro128plus(width);
  const uniform = () => 2 * uniformFloat64(generator) - 1;
  return PARTS.map(({ keys }): DoubleSums => {
    const sums = newDoubleSums(heads * keys.length * width);
    sums.high.forEach((_, n) => {
      const [hi, low] = [uniform(), words === 1 ? 0 : uniform() * 2 ** -54];
      const sum = twoSum(hi, hi * low);
      sums.high[n] = sum.hi;
      sums.low[n] = sum.lo;
      sums.radius[n] = Math.abs(hi) * error;
    });
    return sums;
  });
}

/** What is meant, each number at an end of its ball, [B, Hkv, Skv, width]. */
function meant(parts: readonly DoubleSums[], width: number): BigNumber[] {
  const whole = newDoubleSums(heads * p.seq_kv * width);
  parts.forEach((sums, n) => {
    for (const plane of ['high', 'low', 'radius'] as const) {
      placePart(sums[plane], whole[plane], PARTS[n]!, width);
    }
  });
  return Array.from(whole.high, (hi, n) =>
    fromNumber(hi)
      .plus(fromNumber(whole.low[n]!))
      .plus(fromNumber(whole.radius[n]! * Math.sign(hi))),
  );
}

/** dY and dW by the definition, spec (25), (26), of dK and dV as they are meant. */
function truth(dK: BigNumber[], dV: BigNumber[]) {
  const d_y = Array.from({ length: p.batch * p.seq_kv * 5 }, () => zero);
  const through = (gradient: BigNumber[], w: 'w_k' | 'w_v', width: number): BigNumber[] => {
    const dW = Array.from({ length: 5 * p.kv_heads * width }, () => zero);
    gradient.forEach((x, n) => {
      const [row, e] = [Math.floor(n / width), n % width];
      const [head, j] = [Math.floor(row / p.seq_kv), row % p.seq_kv];
      const [b, g] = [Math.floor(head / p.kv_heads), head % p.kv_heads];
      const column = g * width + e;
      for (let t = 0; t < 5; t++) {
        const at = (b * p.seq_kv + j) * 5 + t;
        d_y[at] = d_y[at]!.plus(x.times(fromNumber(inputs[w]!.get(t, column))));
        const to = t * p.kv_heads * width + column;
        dW[to] = dW[to]!.plus(x.times(fromNumber(inputs.y!.get(b, j, t))));
      }
    });
    return dW;
  };
  return { d_w_k: through(dK, 'w_k', 3), d_w_v: through(dV, 'w_v', 2), d_y };
}

/** Largest share of its radius by which an element is off. */
const worst = (exact: BigNumber[], { high, low, radius }: DoubleSums): number =>
  Math.max(
    ...exact.map((x, n) => {
      const off = fromNumber(high[n]!).plus(fromNumber(low[n]!)).minus(x).abs();
      return off.dividedBy(fromNumber(radius[n]!)).toNumber();
    }),
  );

describe('the gradients through recomputed keys, part by part', () => {
  // Errors that are all there is, and errors that are as nothing beside the roundings.
  it.each([1e-9, 0])('are enclosed in float64, errors of %s', (error) => {
    const [dK, dV] = [drawGradient(3, 1, error), drawGradient(2, 1, error)];
    const sums = (length: number) => ({
      value: new Float64Array(length),
      error: new Float64Array(length),
    });
    const found = newFeatureGradients(p, 7, sums);
    const plain = ({ high, radius }: DoubleSums) => ({ value: high, error: radius });
    PARTS.forEach((part, n) => {
      const gradients = { dK: plain(dK[n]!), dV: plain(dV[n]!) };
      addFeatures(problem, { kind: 'features', ...part, ...found, ...gradients, chunks: 2 }, 0);
    });
    const exact = truth(meant(dK, 3), meant(dV, 2));
    for (const name of ['d_y', 'd_w_k', 'd_w_v'] as const) {
      const { value, error: radius } = found[name]!;
      if (name !== 'd_y') wholeProduct({ sums: found[name]!, terms: 14, chunks: 2 });
      const share = worst(exact[name], { high: value, low: value.map(() => 0), radius });
      expect([name, share <= 1, share > (error > 0 ? 0.3 : 1e-4)]).toEqual([name, true, true]);
    }
  });

  it.each([2 ** -80, 0])('are enclosed in double-double, errors of %s', (error) => {
    const [dK, dV] = [drawGradient(3, 2, error), drawGradient(2, 2, error)];
    const found = newFeatureGradients(p, 7, (length) => newDoubleSums(length));
    PARTS.forEach((part, n) => {
      const task: DoubleFeaturesTask = {
        ...{ kind: 'features', ...part, ...found },
        ...{ dK: dK[n]!, dV: dV[n]! },
      };
      addDoubleFeatures(problem, task, 0);
    });
    const exact = truth(meant(dK, 3), meant(dV, 2));
    for (const name of ['d_y', 'd_w_k', 'd_w_v'] as const) {
      const share = worst(exact[name], found[name]!);
      expect([name, share <= 1, share > (error > 0 ? 0.1 : 1e-7)]).toEqual([name, true, true]);
    }
  });

  it('leave out what is not wanted, and of some keys what is a sum over all', () => {
    const length = (n: number) => n;
    const wants = newFeatureGradients({ ...p, wants: ['d_w_v'] }, 7, length);
    expect(wants).toEqual({ d_y: null, d_w_k: null, d_w_v: 20 });
    expect(newFeatureGradients(p, 3, length)).toEqual({ d_y: 30, d_w_k: null, d_w_v: null });
  });
});
