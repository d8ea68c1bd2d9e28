import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawCase } from '../../case/draw-case.ts';
import { roundTo, ulp } from '../../numbers/format.ts';
import { mapTensor, toFlat } from '../../numbers/tensor.ts';
import { expectation } from '../../verdict/expectation.ts';
import { errorModel } from '../lemmas/error-model.ts';
import { profileFrom } from '../lemmas/profile-options.ts';
import { anchoredGradient, fromPowers, isPowerOfTwo, storedError } from './anchored.ts';
import { rowMagnitudes } from './row-magnitudes.ts';

const model = errorModel(profileFrom('bf16+fused-kernel'), 'bf16', null);
const half = (x: number): number => roundTo('bf16', x);

describe('storedError', () => {
  it('holds what any number of the interval rounds to, ties either way, and is reached', () => {
    const part = fc.double({ min: -1, max: 1, noNaN: true });
    let largest = 0;
    fc.assert(
      fc.property(fc.integer({ min: 256, max: 1024 }), part, part, part, (n, off, width, at) => {
        const [mid, e] = [n / 64 + off / 16, Math.abs(width) / 16];
        const [x, bound] = [mid + at * e, storedError(model, { mid, rad: 0 }, e)];
        largest = Math.max(largest, Math.abs(half(x) - mid) / bound);
        return Math.abs(half(x) - mid) <= bound && Math.abs(x - mid) <= bound;
      }),
      { seed: 3, numRuns: 2000 },
    );
    expect(largest).toBeGreaterThan(0.99);
    // A tie: another program may round it up.
    expect(storedError(model, { mid: 256.5 + 0.5, rad: 0 }, 0)).toBe(1);
  });

  it('is nothing for a number of the format, and says nothing near a flush or an overflow', () => {
    expect(storedError(model, { mid: 255, rad: 0 }, 0.4)).toBeLessThan(0.41);
    expect(storedError(model, { mid: 255, rad: 0 }, 0.51)).toBe(1);
    const flushed = errorModel(profileFrom('f16+flushed-subnormals+fused-kernel'), 'f16', null);
    expect(storedError(flushed, { mid: 2 ** -15, rad: 0 }, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(storedError(model, { mid: 3.38e38, rad: 0 }, 2e36)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('anchoredGradient', () => {
  it('costs the error before it where dS is a number of the format, scaled or not', () => {
    const of = (scale: number, raw: number): number | null =>
      anchoredGradient(model, scale, { raw, error: 2 ** -10, spread: 0 });
    expect(of(0.25, 255)).toBeLessThan(2 ** -9);
    expect(of(0.25, 255)).toBeGreaterThan(2 ** -10);
    // 255.5 is a tie; 0.3·128 is no number of the format.
    expect(of(0.25, 255.5)).toBeGreaterThan(0.5);
    expect(of(0.3, 128)).toBeGreaterThan(0.3);
    expect(
      anchoredGradient({ ...model, anchored: false }, 1, { raw: 1, error: 0, spread: 0 }),
    ).toBe(null);
  });
});

describe('fromPowers', () => {
  it('tells powers of two from what is not', () => {
    expect([1, -4, 2 ** -30, 3, 0].map(isPowerOfTwo)).toEqual([true, true, true, false, false]);
    const row = rowMagnitudes(2);
    row.count = 2;
    row.p.set([0.25, 0.75]);
    row.kappa.set([1, 1]);
    expect(fromPowers(model, row)).toBeGreaterThan(0.2);
    row.p.set([0.25, 0.5 * (1 + 2 ** -30)]);
    expect(fromPowers(model, row)).toBeLessThan(2 ** -28);
    row.kappa.set([1, 1.25]);
    expect(fromPowers(model, row)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a fused kernel’s bounds', () => {
  it('are never above the base’s, and far below where Q may not be rounded scaled', () => {
    const c = drawCase(5, { dtype: 'bf16', head_dim: 16, seq_kv: 24 });
    const [base, fused] = [expectation(c, 'bf16'), expectation(c, 'bf16+fused-kernel')];
    for (const name of c.parameters.wants) {
      const [wide, narrow] = [base, fused].map((e) => toFlat(e.worstCase.of(name, 2 ** -24)!));
      expect(narrow!.every((x, n) => x <= wide![n]!)).toBe(true);
    }
    const [wide, narrow] = [base, fused].map((e) => toFlat(e.worstCase.of('lse', 2 ** -24)!)[0]!);
    expect(narrow!).toBeLessThan(wide! / 100);
  });

  it('are those of a base wherever powers of two are not what is weighed', () => {
    const c = drawCase(6, { dtype: 'bf16', seq_kv: 3, scale: 0.25 });
    const equal = { ...c, inputs: { ...c.inputs, q: mapTensor(c.inputs.q!, () => 0) } };
    const outBound = (seen: typeof c): number =>
      toFlat(expectation(seen, 'bf16+fused-kernel').worstCase.of('out', 2 ** -24)!)[0]!;
    // Three keys weigh a third each, which is no number of the format.
    expect(outBound(equal)).toBeGreaterThan(ulp('bf16', 0.1) / 4);
  });
});
