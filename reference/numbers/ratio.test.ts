import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ratio } from './ratio.ts';
import { rational } from './rational.ts';

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
/** Quotients of float64 numbers, of ordinary and of any size. */
const number = fc.oneof(
  fc.tuple(fc.integer(), fc.integer({ min: 1 })),
  fc.tuple(
    finite,
    finite.filter((x) => x !== 0),
  ),
);

describe('odd quotients times powers of two', () => {
  it('are the rationals that mathjs Fractions are', () => {
    fc.assert(
      fc.property(number, number, ([a, b], [c, d]) => {
        const over = (x: number, y: number) =>
          ratio.mul(ratio.fromNumber(x), ratio.inverse(ratio.fromNumber(y)));
        const [x, y] = [over(a, b), over(c, d)];
        const [p, q] = [[a, b] as const, [c, d] as const].map(([n, m]) =>
          rational.div(rational.fromNumber(n), rational.fromNumber(m)),
        );
        expect(ratio.toFraction(x)).toEqual(p);
        expect(ratio.toFraction(ratio.add(x, y))).toEqual(p!.add(q!));
        expect(ratio.toFraction(ratio.mul(x, y))).toEqual(p!.mul(q!));
        expect(ratio.compare(x, y)).toBe(Math.sign(rational.compare(p!, q!)));
        expect(ratio.equals(x, y)).toBe(p!.equals(q!));
        expect(ratio.key(x) === ratio.key(y)).toBe(p!.equals(q!));
        const back = ratio.add(ratio.add(x, y), ratio.neg(y));
        expect([back, ratio.key(back)]).toEqual([x, ratio.key(x)]);
      }),
      { numRuns: 300 },
    );
  });

  it('refuse to divide by zero', () => {
    expect(() => ratio.inverse(ratio.zero)).toThrow(RangeError);
  });
});
