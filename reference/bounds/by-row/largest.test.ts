import type { Fraction } from 'mathjs';
import { describe, expect, it } from 'vitest';
import { drawCase } from '../../case/draw-case.ts';
import { lift } from '../../definition/lift.ts';
import { rational } from '../../numbers/rational.ts';
import { elementCount, rangedTensor, type Tensor, tensorOf } from '../../numbers/tensor.ts';
import { type Largest, largestInputs, largestOfHeads } from './largest.ts';

describe('the largest of a head', () => {
  const shape = [2, 2, 700, 52];
  const data = Float64Array.from({ length: elementCount(shape) }, (_, n) => (n * n) % 8191);
  data.set([Number.NaN, -9000, Number.POSITIVE_INFINITY], 700 * 52 - 2); // the last is the next head's
  data.fill(8500, 1260 * 52, 1261 * 52); // where runs of 65536 meet

  it('is the largest there is, whatever is not finite', () => {
    largestOfHeads(tensorOf(data, shape)).forEach((head, g) => {
      const rows = Array.from({ length: 700 }, (_, j) =>
        [...data.slice((g * 700 + j) * 52, (g * 700 + j + 1) * 52)].map((x) =>
          Number.isFinite(x) ? Math.abs(x) : 0,
        ),
      );
      expect([...head.columns]).toEqual(
        rows[0]!.map((_, c) => Math.max(...rows.map((x) => x[c]!))),
      );
      expect(head.norm).toBe(
        Math.max(...rows.map((x) => Math.sqrt(x.reduce((s, y) => s + y * y, 0)))),
      );
      expect(head.sum).toBe(Math.max(...rows.map((x) => x.reduce((s, y) => s + y, 0))));
    });
  });

  it('is the same when a row is read in two runs', () => {
    const read = (start: number, target: Float64Array) =>
      target.set(data.subarray(start, start + target.length));
    const storage = { length: data.length, format: null, get: (n: number) => data[n]!, read };
    expect(Math.floor(65536 / 52)).toBe(1260);
    const ranged = largestOfHeads(rangedTensor(storage, shape));
    expect(ranged).toEqual(largestOfHeads(tensorOf(data, shape)));
  });
});

const { add, mul, neg, zero, compare, fromNumber, toNumber } = rational;
const size = (x: Fraction): Fraction => (compare(x, zero) < 0 ? neg(x) : x);
const most = (xs: readonly Fraction[]): Fraction =>
  xs.reduce((a, b) => (compare(a, b) < 0 ? b : a), zero);
const sum = (xs: readonly Fraction[]): Fraction => xs.reduce(add, zero);

describe('the largest of recomputed keys', () => {
  // More keys than are gone through at a time, and the largest in none of the usual places.
  const shape = { dim_y: 3, batch: 2, heads: 4, kv_heads: 2, seq_q: 1, gradients: false };
  const c = drawCase(3, { ...shape, seq_kv: 701, head_dim: 5, head_dim_v: 3, dtype: 'f64' });
  const { y, w_k, w_v } = c.inputs;
  const problem = lift(rational, c);

  const atLeast = (found: number, exact: Fraction, what: string) => {
    expect(compare(fromNumber(found), exact), `${what}: ${found}`).toBeGreaterThanOrEqual(0);
    expect(found, what).toBeLessThan(toNumber(exact) * (1 + 2 ** -40));
  };

  function check(found: readonly Largest[], x: Tensor<Fraction>, w: Tensor): void {
    const [, , keys = 0, width = 0] = x.shape;
    expect(found.length).toBe(4);
    found.forEach(({ columns, norm, sum: total, made }, head) => {
      const [b, g] = [Math.floor(head / 2), head % 2];
      const rows = Array.from({ length: keys }, (_, j) =>
        Array.from({ length: width }, (_, e) => size(x.get(b, g, j, e))),
      );
      columns.forEach((one, e) => {
        atLeast(one, most(rows.map((row) => row[e]!)), `column ${e}`);
      });
      const squares = most(rows.map((row) => sum(row.map((one) => mul(one, one)))));
      expect(compare(mul(fromNumber(norm), fromNumber(norm)), squares)).toBeGreaterThanOrEqual(0);
      expect(norm).toBeLessThan(Math.sqrt(toNumber(squares)) * (1 + 2 ** -29));
      atLeast(total, most(rows.map(sum)), 'sum');
      for (let e = 0; e < width; e++) {
        const pairs = Array.from({ length: keys }, (_, j) =>
          [0, 1, 2].map(
            (n) => [Math.abs(y!.get(b, j, n)), Math.abs(w.get(n, g * width + e))] as const,
          ),
        );
        const products = Math.max(...pairs.map((row) => row.reduce((s, [p, q]) => s + p * q, 0)));
        const ofW = pairs[0]!.reduce((s, [, q]) => s + q, 0);
        const ofY = Math.max(...pairs.map((row) => row.reduce((s, [p]) => s + p, 0)));
        expect(made!.products[e]! / products).toBeCloseTo(1, 12);
        expect(made!.terms[e]! / (ofY + ofW)).toBeCloseTo(1, 12);
      }
    });
  }

  for (const threads of [1, 2]) {
    it(`are no smaller than the exact ones, and hardly larger, on ${threads} threads`, () => {
      const { keys, values } = largestInputs(c, threads);
      check(keys, problem.k, w_k!);
      check(values, problem.v, w_v!);
    });
  }
});
