import type { BigNumber } from 'mathjs';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { big } from './big.ts';
import { exp, expm1, log, tanh } from './float64.ts';
import { neighbours } from './format.ts';

const system = big(40);
const long = big(120);
const U = 2 ** -53;

/** Error of `got` against the 40-digit truth, as a multiple of `unit`. */
function errorIn(unit: BigNumber, got: number, truth: BigNumber): number {
  return system.fromNumber(got).minus(truth).abs().dividedBy(unit.abs()).toNumber();
}

function draws(count: number, low: number, high: number): number[] {
  const generator = xoroshiro128plus(7);
  return Array.from({ length: count }, () => low + (high - low) * uniformFloat64(generator));
}

function worst(points: number[], error: (x: number) => number): number {
  return points.reduce((max, x) => Math.max(max, error(x)), 0);
}

describe('float64 elementary functions', () => {
  const wide = [
    ...draws(1500, -708, 709.7),
    ...draws(1500, -1, 1),
    1e-300,
    -1e-18,
    0.3466,
    -0.3466,
  ];

  it('exp is within 4u where the result is normal', () => {
    const error = worst(wide, (x) => {
      const truth = system.exp(system.fromNumber(x));
      return errorIn(truth.times(U), exp(x), truth);
    });
    expect(error).toBeLessThanOrEqual(4);
    expect(error).toBeGreaterThan(0.4); // the measurement sees rounding at all
  });

  it('exp is finite as far as e^x is, and infinite beyond', () => {
    const last = 709.782712893384;
    const { above } = neighbours('f64', last);
    expect(system.exp(system.fromNumber(last)).toNumber()).toBeLessThan(Number.POSITIVE_INFINITY);
    expect(system.exp(system.fromNumber(above)).toNumber()).toBe(Number.POSITIVE_INFINITY);
    expect(above).toBeLessThan(709.783);
    for (const x of [above, 709.783, 709.785, 709.79, 709.8, 800, 1e308]) {
      expect(exp(x)).toBe(Number.POSITIVE_INFINITY);
    }
    for (const x of [last, neighbours('f64', last).below, ...draws(200, 709.7, last)]) {
      const truth = system.exp(system.fromNumber(x));
      expect(errorIn(truth.times(U), exp(x), truth)).toBeLessThanOrEqual(4);
    }
  });

  it('exp is within 2⁻¹⁰⁷⁴ where the result is subnormal', () => {
    const tiny = system.fromNumber(2 ** -1074);
    const points = draws(300, -745, -708.4);
    expect(
      worst(points, (x) => errorIn(tiny, exp(x), system.exp(system.fromNumber(x)))),
    ).toBeLessThanOrEqual(1);
  });

  it('expm1 is within 16u', () => {
    const points = [...draws(1000, -40, 40), ...draws(500, -0.4, 0.4), 1e-60];
    const error = worst(points, (x) => {
      const truth = long.sub(long.exp(long.fromNumber(x)), long.one);
      return errorIn(truth.times(U), expm1(x), truth);
    });
    expect(error).toBeLessThanOrEqual(16);
  });

  it('log is within 8u', () => {
    const near1 = draws(800, 0.5, 2);
    const points = [
      ...near1,
      ...draws(800, 0, 1e6),
      5e-324,
      1e-310,
      1.7e308,
      1 + 2 ** -52,
      1 - 2 ** -53,
    ];
    const error = worst(points, (x) => {
      const truth = system.log(system.fromNumber(x));
      return truth.isZero() ? Math.abs(log(x)) : errorIn(truth.times(U), log(x), truth);
    });
    expect(error).toBeLessThanOrEqual(8);
  });

  it('tanh is within 32u relative and 8u absolute', () => {
    const points = [...draws(1000, -3, 3), ...draws(300, -22, 22), 1e-50, 0.17, 0.1700001];
    for (const x of points) {
      const truth = long.tanh(long.fromNumber(x));
      expect(errorIn(truth.times(U), tanh(x), truth)).toBeLessThanOrEqual(32);
      expect(errorIn(system.fromNumber(U), tanh(x), truth)).toBeLessThanOrEqual(8);
    }
  });

  it('has the exact values where there are any', () => {
    expect([exp(0), exp(-0), exp(-Infinity), exp(Infinity), exp(-746), exp(710)]).toEqual([
      1,
      1,
      0,
      Infinity,
      0,
      Infinity,
    ]);
    expect([log(1), log(0), log(Infinity), tanh(0), tanh(25), tanh(-25)]).toEqual([
      0,
      -Infinity,
      Infinity,
      0,
      1,
      -1,
    ]);
    expect([exp(Number.NaN), log(-1), log(Number.NaN), tanh(Number.NaN)]).toEqual([
      NaN,
      NaN,
      NaN,
      NaN,
    ]);
  });

  it('has pinned bits, the same on every machine', () => {
    const bits = (x: number) => new BigUint64Array(new Float64Array([x]).buffer)[0]!.toString(16);
    expect([exp(1), exp(-37.5), log(10), tanh(0.5)].map(bits)).toMatchInlineSnapshot(`
      [
        "4005bf0a8b14576a",
        "3c8dd5c566301ec8",
        "40026bb1bbb55516",
        "3fdd9353d7568af4",
      ]
    `);
  });
});
