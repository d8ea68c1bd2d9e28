import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decode,
  encode,
  FORMATS,
  maxFinite,
  minNormal,
  minSubnormal,
  neighbours,
  patternBits,
  roundBeside,
  roundTo,
  ulp,
  unitRoundoff,
} from './format.ts';

const NARROW = ['tf32', 'f16', 'bf16', 'fp8-e4m3', 'fp8-e5m2'] as const;
type Narrow = (typeof NARROW)[number];

/** Exponent bits, fraction bits and bias, as IEEE 754 (f16), OCP (fp8) and their vendors give them. */
const STANDARD: Record<Narrow, [number, number, number]> = {
  tf32: [8, 10, 127],
  f16: [5, 10, 15],
  bf16: [8, 7, 127],
  'fp8-e4m3': [4, 3, 7],
  'fp8-e5m2': [5, 2, 15],
};

/** What the standard says a pattern means, read off its binary digits. */
function independent(format: Narrow, pattern: number): number {
  const [exponentBits, fractionBits, bias] = STANDARD[format];
  const digits = pattern.toString(2).padStart(1 + exponentBits + fractionBits, '0');
  const sign = digits[0] === '1' ? -1 : 1;
  const exponent = digits.slice(1, 1 + exponentBits);
  const fraction = digits.slice(1 + exponentBits);
  if (format === 'fp8-e4m3' ? /^1+$/.test(exponent + fraction) : /^1+$/.test(exponent)) {
    return format !== 'fp8-e4m3' && /^0+$/.test(fraction) ? sign * Infinity : Number.NaN;
  }
  const leading = /^0+$/.test(exponent) ? '0' : '1';
  const power = Math.max(1, Number.parseInt(exponent, 2)) - bias - fractionBits;
  return sign * Number.parseInt(leading + fraction, 2) * 2 ** power;
}

/** Every finite number of the format from 0 on, ascending, by the standard. */
function positives(format: Narrow): number[] {
  return Array.from({ length: 2 ** (patternBits(format) - 1) }, (_, bits) =>
    independent(format, bits),
  ).filter(Number.isFinite);
}

/** The list and one step past it. */
const extended = (list: readonly number[]): number[] => [...list, 2 * list.at(-1)! - list.at(-2)!];

/** x ≥ 0 to the nearest of an extended list; ties to the even position. */
function nearest(all: readonly number[], x: number, beyond: number): number {
  let [low, high] = [0, all.length - 1];
  if (x >= all[high]!) return beyond;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (all[middle]! <= x) low = middle;
    else high = middle;
  }
  const side = 2 * x - (all[low]! + all[high]!); // exact: few bits on both sides
  const chosen = side < 0 || (side === 0 && low % 2 === 0) ? low : high;
  return chosen === all.length - 1 ? beyond : all[chosen]!;
}

describe('narrow formats, exhaustively, against the standards', () => {
  for (const format of NARROW) {
    const list = positives(format);
    const ends = extended(list);
    const beyond = format === 'fp8-e4m3' ? Number.NaN : Infinity;

    it(`${format}: every pattern decodes, rounds and encodes`, () => {
      for (let bits = 0; bits < 2 ** patternBits(format); bits++) {
        const x = decode(format, bits);
        if (!Object.is(x, independent(format, bits))) throw new Error(`${bits} decodes to ${x}`);
        if (Number.isNaN(x)) {
          if (!Number.isNaN(decode(format, encode(format, x)))) throw new Error(`NaN ${bits}`);
          continue;
        }
        if (!Object.is(roundTo(format, x), x)) throw new Error(`${bits} → ${roundTo(format, x)}`);
        if (encode(format, x) !== bits) throw new Error(`${bits} encodes to ${encode(format, x)}`);
      }
    });

    it(`${format}: rounds every midpoint to even and what is beside it to its side`, () => {
      for (let n = 0; n + 1 < ends.length; n++) {
        const [a, b] = [ends[n]!, ends[n + 1]!];
        const middle = (a + b) / 2;
        const above = n + 1 === list.length ? beyond : b;
        for (const [x, side, want] of [
          [middle, 0, n % 2 === 0 ? a : above],
          [neighbours('f64', middle).below, 0, a],
          [neighbours('f64', middle).above, 0, above],
          [middle, -1, a],
          [middle, 1, above],
          [neighbours('f64', middle).below, 1, a],
          [neighbours('f64', middle).above, -1, above],
        ] as const) {
          for (const sign of [1, -1]) {
            const got = roundBeside(format, sign * x, sign * side);
            if (!Object.is(got, sign * want)) throw new Error(`${sign * x} (${side}) → ${got}`);
          }
          if (side === 0 && !Object.is(nearest(ends, x, beyond), want))
            throw new Error(`list ${x}`);
        }
      }
    });

    it(`${format}: neighbours and ULPs are the list's own`, () => {
      for (let n = 0; n + 1 < list.length; n++) {
        const [a, b] = [list[n]!, list[n + 1]!];
        if (neighbours(format, a).above !== b || neighbours(format, b).below !== a)
          throw new Error(`neighbours of ${a}`);
        if (neighbours(format, -b).above !== -a || neighbours(format, -a).below !== -b)
          throw new Error(`neighbours of ${-a}`);
        if (ulp(format, a) !== b - a) throw new Error(`ulp of ${a} is ${ulp(format, a)}`);
      }
      expect(minSubnormal(format)).toBe(list[1]);
      expect(maxFinite(format)).toBe(list.at(-1));
      expect(list).toContain(minNormal(format));
      expect(list.indexOf(minNormal(format))).toBe(2 ** STANDARD[format][1]);
    });

    it(`${format}: rounds any float64 to the nearest of the list`, () => {
      const largest = 2 * list.at(-1)!;
      fc.assert(
        fc.property(fc.double({ noNaN: true, min: 0, max: largest }), (x) => {
          expect(roundTo(format, x)).toBe(nearest(ends, x, beyond));
          expect(roundTo(format, -x)).toBe(-nearest(ends, x, beyond));
        }),
        { numRuns: 3000 },
      );
      expect(roundTo(format, Infinity)).toBe(beyond);
      expect(roundTo(format, -Infinity)).toBe(-beyond);
    });
  }

  it('bf16 is the upper half of f32, e5m2 the upper half of f16', () => {
    const words = new Uint32Array(1);
    const floats = new Float32Array(words.buffer);
    for (let bits = 0; bits < 65536; bits++) {
      words[0] = bits << 16;
      if (!Object.is(decode('bf16', bits), floats[0])) throw new Error(`bf16 ${bits}`);
    }
    for (let bits = 0; bits < 256; bits++) {
      if (!Object.is(decode('fp8-e5m2', bits), decode('f16', bits << 8)))
        throw new Error(`${bits}`);
    }
  });

  it('reads known patterns', () => {
    expect(
      [0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0xfc00].map((bits) => decode('f16', bits)),
    ).toEqual([1, -2, 65504, 2 ** -24, Infinity, -Infinity]);
    expect([0x3f80, 0x4049, 0x0001].map((bits) => decode('bf16', bits))).toEqual([
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
