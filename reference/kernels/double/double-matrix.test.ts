import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { big } from '../../numbers/big.ts';
import { twoSum } from '../../numbers/double-double.ts';
import { kernelModule } from '../module.ts';
import { type DoubleMatrix, doubleProduct, doubleTransposed } from './double-matrix.ts';

const system = big(80);
const generator = xoroshiro128plus(17);
const uniform = () => 2 * uniformFloat64(generator) - 1;

function draw(rows: number, columns: number, error: number | null): DoubleMatrix {
  const words = Array.from({ length: rows * columns }, () => {
    const hi = uniform();
    return error === null ? { hi, lo: 0 } : twoSum(hi, hi * uniform() * 2 ** -54);
  });
  return {
    rows,
    columns,
    high: Float64Array.from(words, ({ hi }) => hi),
    low: error === null ? null : Float64Array.from(words, ({ lo }) => lo),
    error: error === null ? null : Float64Array.from(words, () => error),
  };
}

/** Largest share of its radius by which an element is off, each factor at an end of its own. */
function worst(a: DoubleMatrix, b: DoubleMatrix): number {
  const end = (m: DoubleMatrix) =>
    Array.from(m.high, (hi, n) =>
      system
        .fromNumber(hi)
        .plus(system.fromNumber(m.low?.[n] ?? 0))
        .plus(system.fromNumber((m.error?.[n] ?? 0) * Math.sign(hi))),
    );
  const [x, y] = [end(a), end(b)];
  const { high, low, error } = doubleProduct(kernelModule(), a, b);
  let share = 0;
  for (let r = 0; r < a.rows; r++) {
    for (let c = 0; c < b.columns; c++) {
      let truth = system.zero;
      for (let l = 0; l < a.columns; l++) {
        truth = truth.plus(x[r * a.columns + l]!.times(y[l * b.columns + c]!));
      }
      const at = r * b.columns + c;
      const got = system.fromNumber(high[at]!).plus(system.fromNumber(low![at]!));
      const allowed = system.fromNumber(error![at]!);
      share = Math.max(share, got.minus(truth).abs().dividedBy(allowed).toNumber());
    }
  }
  return share;
}

describe('doubleProduct', () => {
  it('encloses the product of exact matrices, sums and tiles filled or not', () => {
    for (const [rows, terms, columns] of [
      [3, 5, 2],
      [2, 140, 3],
      [2, 600, 2],
      [131, 3, 2],
      [1, 4, 133],
    ] as const) {
      const share = worst(draw(rows, terms, null), draw(terms, columns, null));
      expect(share).toBeLessThanOrEqual(1);
      expect(share).toBeGreaterThan(1e-5);
    }
  });

  it('carries the error of either factor', () => {
    for (const error of [2 ** -60, 2 ** -90]) {
      const [exact, off] = [draw(4, 6, null), draw(6, 5, error)];
      const forward = worst(exact, off);
      const back = worst(doubleTransposed(off), doubleTransposed(exact));
      expect(Math.max(forward, back)).toBeLessThanOrEqual(1);
      expect(Math.min(forward, back)).toBeGreaterThan(1e-3);
    }
  });

  it('says nothing of numbers too large, and refuses two factors with errors', () => {
    const [a, b] = [draw(2, 3, null), draw(3, 2, null)];
    a.high[0] = 2 ** 500;
    const { error } = doubleProduct(kernelModule(), a, b);
    expect(error?.[0]).toBe(Number.POSITIVE_INFINITY);
    const off = draw(3, 3, 1e-30);
    expect(() => doubleProduct(kernelModule(), off, off)).toThrow('one factor');
  });
});
