import { describe, expect, it } from 'vitest';
import type { AttentionCase } from '../case/case.ts';
import { evaluate } from '../definition/reference.ts';
import { big } from '../numbers/big.ts';
import { type FormatName, neighbours, roundBeside, roundTo } from '../numbers/format.ts';
import { tensorOf, toFlat } from '../numbers/tensor.ts';
import { oracle } from './oracle.ts';

const system = big(80);

/** A decimal rounded to a format. */
function roundDecimal(format: FormatName, value: ReturnType<typeof system.fromNumber>): number {
  const near = value.toNumber();
  const side = Number.isFinite(near) ? system.compare(value, system.fromNumber(near)) : 0;
  return roundBeside(format, near, side);
}

function oneRow(values: { q: number; k: number[]; v: number[] }): AttentionCase {
  const n = values.k.length;
  return {
    parameters: {
      schema: 1,
      id: 'test',
      dtype: 'f64',
      batch: 1,
      heads: 1,
      kv_heads: 1,
      seq_q: 1,
      seq_kv: n,
      head_dim: 1,
      head_dim_v: 1,
      scale: 1,
      softcap: 0,
      causal: 'none',
      window: null,
      media: null,
      dropout_rate: 0,
      wants: ['out', 'lse', 'd_q', 'd_k', 'd_v'],
      partition: { ranks: 1, q: [1], kv: [n] },
    },
    inputs: {
      q: tensorOf([values.q], [1, 1, 1, 1]),
      k: tensorOf(values.k, [1, 1, n, 1]),
      v: tensorOf(values.v, [1, 1, n, 1]),
      d_out: tensorOf([0.3], [1, 1, 1, 1]),
    },
    judging: 'random',
  };
}

describe('roundBeside', () => {
  const rounds = (value: ReturnType<typeof system.fromNumber>) => roundDecimal('bf16', value);
  const tie = 1 + 2 ** -8;
  const hair = system.fromNumber(2 ** -200);

  it('rounds a tie to even and anything beside it to its own side', () => {
    expect(rounds(system.fromNumber(tie))).toBe(1);
    expect(rounds(system.fromNumber(tie).plus(hair))).toBe(1 + 2 ** -7);
    expect(rounds(system.fromNumber(tie).minus(hair))).toBe(1);
    expect(rounds(system.fromNumber(1 + 3 * 2 ** -8).minus(hair))).toBe(1 + 2 ** -7);
    expect(rounds(system.fromNumber(1 + 3 * 2 ** -8))).toBe(1 + 4 * 2 ** -8);
    expect(rounds(system.fromNumber(-tie).minus(hair))).toBe(-1 - 2 ** -7);
  });

  it('is not fooled when the next double is itself the midpoint', () => {
    const below = neighbours('f64', tie).below;
    expect(rounds(system.fromNumber(below).plus(hair))).toBe(1);
  });

  it('keeps the overflow threshold', () => {
    const threshold = 2 ** 128 - 2 ** 119;
    expect(rounds(system.fromNumber(threshold))).toBe(Infinity);
    expect(rounds(system.fromNumber(threshold).minus(1))).toBe((2 - 2 ** -7) * 2 ** 127);
  });
});

describe('oracle', () => {
  const c = oneRow({ q: 0.7, k: [0.1, -1.3, 2.2], v: [1.1, -0.4, 0.01] });

  for (const format of ['f64', 'f32', 'f16', 'bf16', 'fp8-e4m3', 'fp8-e5m2'] as const) {
    it(`agrees with 80 digits, rounded to ${format}, and encloses them`, () => {
      const answer = oracle(c, { format });
      expect(answer.undecided).toEqual([]);
      for (const [name, truth] of Object.entries(evaluate(system, c))) {
        toFlat(truth).forEach((value, n) => {
          const key = name as 'out';
          const exact = value!;
          const compare = (x: number) => system.compare(exact, system.fromNumber(x));
          expect(toFlat(answer.values[key]!)[n]).toBe(roundDecimal(format, exact));
          expect(compare(toFlat(answer.lo[key]!)[n]!)).toBeGreaterThanOrEqual(0);
          expect(compare(toFlat(answer.hi[key]!)[n]!)).toBeLessThanOrEqual(0);
        });
      }
    });
  }

  it('needs more than float64 to round to f64, and says so', () => {
    expect(Object.keys(oracle(c, { format: 'f64' }).decidedBy)).toContain('double-double');
    expect(oracle(c, { format: 'bf16' }).decidedBy.float64).toBeGreaterThan(0);
  });

  it('settles exact zeros: one key has no score gradient', () => {
    const answer = oracle(oneRow({ q: 0.7, k: [0.3], v: [0.9] }));
    expect(answer.undecided).toEqual([]);
    expect(toFlat(answer.values.d_q!)).toEqual([0]);
    expect(toFlat(answer.values.out!)).toEqual([0.9]);
  });

  it('rounds f64 to neighbours at most two ULPs apart', () => {
    const { lo, hi } = oracle(c, { format: 'f64' });
    toFlat(lo.out!).forEach((low, n) => {
      const high = toFlat(hi.out!)[n]!;
      expect(high).toBeLessThanOrEqual(neighbours('f64', neighbours('f64', low).above).above);
    });
    expect(roundTo('f64', 0.1)).toBe(0.1);
  });
});
