import fc from 'fast-check';
import { fraction } from 'mathjs';
import { describe, expect, it } from 'vitest';
import type { AttentionCase, CaseInputs } from '../case/case.ts';
import { drawCase } from '../case/draw-case.ts';
import { type FormatName, neighbours, roundBeside } from '../numbers/format.ts';
import { rational } from '../numbers/rational.ts';
import { mapTensor, toFlat } from '../numbers/tensor.ts';
import { endOf } from './exact.ts';
import { oracle } from './oracle.ts';

const fill = (inputs: CaseInputs, name: keyof CaseInputs, f: (n: number) => number) => {
  let n = 0;
  inputs[name] = mapTensor(inputs[name]!, () => f(n++));
};

/** V the same everywhere: out is that number whatever the scores are. */
const constantV = (value: number, changes = {}): AttentionCase =>
  drawCase(5, { dtype: 'f64', ...changes, adjust: (inputs) => fill(inputs, 'v', () => value) });

describe('a rational number', () => {
  it('is read as the float64 nearest to it and its side', () => {
    const exactly = (x: number) => ({ near: x, side: 0 });
    const third = endOf(fraction(1n, 3n));
    expect(third).toEqual({ near: 1 / 3, side: 1 });
    expect(endOf(fraction(-1n, 3n))).toEqual({ near: -1 / 3, side: -1 });
    expect(endOf(fraction(2n, 3n))).toEqual({ near: 2 / 3, side: 1 });
    expect(endOf(fraction(1n, 10n))).toEqual({ near: 0.1, side: -1 });
    expect(endOf(fraction(0n))).toEqual(exactly(0));
    expect(endOf(fraction(2n ** 53n + 1n))).toEqual({ near: 2 ** 53, side: 1 }); // tie to even
    expect(endOf(fraction(2n ** 53n + 3n))).toEqual({ near: 2 ** 53 + 4, side: -1 });
    expect(endOf(fraction(1n, 2n ** 1074n))).toEqual(exactly(2 ** -1074));
    expect(endOf(fraction(1n, 2n ** 1075n))).toEqual({ near: 0, side: 1 });
    expect(endOf(fraction(3n, 2n ** 1075n))).toEqual({ near: 2 ** -1073, side: -1 });
    expect(endOf(fraction(2n ** 1024n - 2n ** 970n)).near).toBe(Infinity);
    expect(endOf(fraction(2n ** 1024n - 2n ** 970n - 1n))).toEqual({
      near: Number.MAX_VALUE,
      side: 1,
    });
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (x) => {
        const positive = Math.abs(x);
        expect(endOf(rational.fromNumber(positive))).toEqual({ near: positive, side: 0 });
      }),
    );
  });
});

describe('exact ties', () => {
  const formats: FormatName[] = ['f32', 'f16', 'bf16', 'fp8-e4m3', 'fp8-e5m2'];
  for (const format of formats) {
    it(`are recognised whatever the scores are, in ${format}`, () => {
      for (const x of [1, 1.5, 2 ** -6]) {
        const a = roundBeside(format, x, 0);
        const tie = (a + neighbours(format, a).above) / 2;
        const { values, undecided, decidedBy } = oracle(constantV(tie, { gradients: false }), {
          format,
        });
        expect(undecided).toEqual([]);
        expect(decidedBy.exact).toBeGreaterThanOrEqual(48);
        const even = roundBeside(format, tie, 0);
        expect(new Set(toFlat(values.out!))).toEqual(new Set([even]));
        for (const side of [-1, 1]) {
          const beside = side > 0 ? neighbours('f64', tie).above : neighbours('f64', tie).below;
          const answer = oracle(constantV(beside, { gradients: false }), { format });
          expect(new Set(toFlat(answer.values.out!))).toEqual(
            new Set([roundBeside(format, tie, side)]),
          );
        }
      }
    });
  }

  it('that two rows make together are recognised: e^a and e^−a in turn', () => {
    const c = drawCase(5, {
      dtype: 'f64',
      heads: 1,
      seq_q: 2,
      seq_kv: 2,
      head_dim: 1,
      head_dim_v: 1,
      dLse: false,
      adjust: (inputs) => {
        fill(inputs, 'q', (n) => (n === 0 ? 1 : -1));
        fill(inputs, 'k', (n) => (n === 0 ? 0.7 : 0));
        fill(inputs, 'd_out', () => 1 + 2 ** -24);
      },
    });
    // P_00 + P_10 = 1, so dV_0 = dV_1 = 1 + 2⁻²⁴: a tie in f32.
    const { values, undecided, decidedBy } = oracle(c, { format: 'f32' });
    expect(undecided).toEqual([]);
    expect(toFlat(values.d_v!)).toEqual([1, 1]);
    expect(decidedBy.exact).toBeGreaterThanOrEqual(2);
  });

  it('under softcap are recognised where every tanh is of zero', () => {
    const c = constantV(1 + 2 ** -24, { softcap: 2, scale: 0, gradients: false });
    const { undecided, values } = oracle(c, { format: 'f32' });
    expect([undecided, toFlat(values.out!)[0]]).toEqual([[], 1]);
  });

  it('that cannot be recognised are named, not guessed', () => {
    const c = constantV(1 + 2 ** -24, {
      softcap: 2,
      heads: 1,
      seq_q: 1,
      seq_kv: 2,
      head_dim_v: 1,
      gradients: false,
    });
    const { undecided, values, lo, hi } = oracle(c, { format: 'f32' });
    expect(undecided).toEqual([{ output: 'out', index: [0, 0, 0, 0], why: 'digits' }]);
    expect(toFlat(values.out!)).toEqual([Number.NaN]);
    expect(lo.out!.get(0, 0, 0, 0)).toBeLessThanOrEqual(1 + 2 ** -24);
    expect(hi.out!.get(0, 0, 0, 0)).toBeGreaterThanOrEqual(1 + 2 ** -24);
  });

  it('and exact zeros cost no digits: one key, equal V, no score', () => {
    const one = oracle(drawCase(5, { dtype: 'f64', seq_kv: 1, dLse: false }));
    expect(new Set([...toFlat(one.values.d_q!), ...toFlat(one.values.d_k!)])).toEqual(new Set([0]));
    expect(Object.keys(one.decidedBy)).not.toContain('big60');
    const equal = oracle(
      constantV(0.3, { dLse: false, seq_q: 2, seq_kv: 4, head_dim: 3, head_dim_v: 2 }),
    );
    expect(new Set(toFlat(equal.values.d_q!))).toEqual(new Set([0]));
    expect(equal.undecided).toEqual([]);
  });
});
