import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decode16,
  encode16,
  FORMATS,
  maxFinite,
  minNormal,
  minSubnormal,
  neighbours,
  roundTo,
  ulp,
  unitRoundoff,
} from './format.ts';

/** Every non-NaN number of a 16-bit format, ascending from 0. */
function positives(format: 'f16' | 'bf16'): number[] {
  const infinity = encode16(format, Infinity);
  return Array.from({ length: infinity }, (_, bits) => decode16(format, bits));
}

describe('16-bit formats, exhaustively', () => {
  for (const format of ['f16', 'bf16'] as const) {
    it(`${format}: every pattern survives decoding, rounding and encoding`, () => {
      for (let bits = 0; bits < 65536; bits++) {
        const x = decode16(format, bits);
        if (Number.isNaN(x)) {
          expect(Number.isNaN(decode16(format, encode16(format, x)))).toBe(true);
        } else {
          if (!Object.is(roundTo(format, x), x))
            throw new Error(`${bits} rounds to ${roundTo(format, x)}`);
          if (encode16(format, x) !== bits)
            throw new Error(`${bits} encodes to ${encode16(format, x)}`);
        }
      }
    });

    it(`${format}: midpoints go to the even pattern, and a hair beside them to the nearer number`, () => {
      const list = positives(format);
      for (let n = 0; n + 1 < list.length; n++) {
        const [a, b] = [list[n]!, list[n + 1]!];
        const middle = (a + b) / 2;
        const even = n % 2 === 0 ? a : b;
        const hair = middle * 2 ** -50;
        if (roundTo(format, middle) !== even)
          throw new Error(`${middle} → ${roundTo(format, middle)}`);
        if (roundTo(format, middle - hair) !== a) throw new Error(`below ${middle}`);
        if (roundTo(format, middle + hair) !== b) throw new Error(`above ${middle}`);
        if (neighbours(format, a).above !== b || neighbours(format, b).below !== a)
          throw new Error(`neighbours of ${a}`);
        if (neighbours(format, -b).above !== -a || neighbours(format, -a).below !== -b)
          throw new Error(`neighbours of ${-a}`);
        if (ulp(format, a) !== b - a)
          throw new Error(`ulp of ${a} is ${ulp(format, a)}, not ${b - a}`);
      }
    });

    it(`${format}: landmarks`, () => {
      const list = positives(format);
      expect(minSubnormal(format)).toBe(list[1]);
      expect(maxFinite(format)).toBe(list.at(-1));
      expect(minNormal(format)).toBe(decode16(format, format === 'f16' ? 0x0400 : 0x0080));
      const threshold = maxFinite(format) + ulp(format, maxFinite(format)) / 2;
      expect(roundTo(format, threshold)).toBe(Infinity);
      expect(roundTo(format, threshold * (1 - 2 ** -50))).toBe(maxFinite(format));
      expect(roundTo(format, -threshold)).toBe(-Infinity);
    });
  }

  it('reads known patterns', () => {
    expect(
      [0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0xfc00].map((bits) => decode16('f16', bits)),
    ).toEqual([1, -2, 65504, 2 ** -24, Infinity, -Infinity]);
    expect([0x3f80, 0x4049, 0x0001].map((bits) => decode16('bf16', bits))).toEqual([
      1,
      3.140625,
      2 ** -133,
    ]);
  });
});

describe('every format', () => {
  it('f32 rounds as the machine does', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (x) => Object.is(roundTo('f32', x), Math.fround(x))),
      { numRuns: 2000 },
    );
  });

  it('f64 neighbours differ by one pattern', () => {
    const step = (x: number): bigint => new BigInt64Array(new Float64Array([x]).buffer)[0]!;
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true, min: 5e-324, max: 1e308 }),
        (x) => {
          expect(step(neighbours('f64', x).above) - step(x)).toBe(1n);
          expect(step(neighbours('f64', -x).below) - step(-x)).toBe(1n);
        },
      ),
    );
  });

  it('is within half a ULP, monotone, odd, and idempotent', () => {
    for (const format of FORMATS) {
      const largest = Math.min(maxFinite(format), 1e300);
      const inside = fc.double({ noNaN: true, min: -largest, max: largest });
      fc.assert(
        fc.property(inside, inside, (x, y) => {
          const r = roundTo(format, x);
          expect(Math.abs(r - x)).toBeLessThanOrEqual(ulp(format, x) / 2);
          expect(roundTo(format, r)).toBe(r);
          expect(roundTo(format, -x)).toBe(-r);
          if (x <= y) expect(r).toBeLessThanOrEqual(roundTo(format, y));
          if (Math.abs(x) >= minNormal(format))
            expect(Math.abs(r - x)).toBeLessThanOrEqual(unitRoundoff(format) * Math.abs(x));
        }),
        { numRuns: 300 },
      );
    }
  });
});
