import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { big } from './big.ts';
import {
  DOUBLE_DOUBLE_ERROR,
  type DoubleDouble,
  doubleDouble,
  twoProduct,
  twoSum,
} from './double-double.ts';

const system = big(80);
const generator = xoroshiro128plus(41);
const uniform = (low: number, high: number) => low + (high - low) * uniformFloat64(generator);
const exactly = ({ hi, lo }: DoubleDouble) => system.fromNumber(hi).plus(system.fromNumber(lo));

/** A double-double with a full second word, of either sign, |x| around 2^exponent. */
function draw(low: number, high: number): DoubleDouble {
  const hi = uniform(low, high);
  return twoSum(hi, hi * uniform(-1, 1) * 2 ** -54);
}

/** Largest error of `got` relative to the result, over the stated bound. */
function worst(
  bound: number,
  count: number,
  one: () => { got: DoubleDouble; truth: ReturnType<typeof exactly> },
  absolute = 0,
): number {
  let max = 0;
  for (let n = 0; n < count; n++) {
    const { got, truth } = one();
    expect(got.hi + got.lo).toBe(got.hi); // hi is the nearest float64
    const allowed = exactly(got).abs().times(bound).plus(absolute);
    max = Math.max(max, exactly(got).minus(truth).abs().dividedBy(allowed).toNumber());
  }
  return max;
}

describe('double-double', () => {
  it('adds and multiplies float64 numbers without any error', () => {
    const wide = big(400); // every digit of a product
    const sum = ({ hi, lo }: DoubleDouble) => wide.fromNumber(hi).plus(wide.fromNumber(lo));
    for (let n = 0; n < 200; n++) {
      const [a, b] = [uniform(-1e10, 1e10), uniform(-1, 1) * 2 ** Math.round(uniform(-60, 60))];
      const [x, y] = [wide.fromNumber(a), wide.fromNumber(b)];
      expect(sum(twoSum(a, b)).equals(x.plus(y))).toBe(true);
      expect(sum(twoProduct(a, b)).equals(x.times(y))).toBe(true);
    }
  });

  for (const [name, apply, decimal] of [
    ['add', doubleDouble.add, system.add],
    ['sub', doubleDouble.sub, system.sub],
    ['mul', doubleDouble.mul, system.mul],
    ['div', doubleDouble.div, system.div],
  ] as const) {
    it(`${name} stays within its bound, cancellation included`, () => {
      const bound = DOUBLE_DOUBLE_ERROR[name === 'sub' ? 'add' : name];
      const error = worst(bound, 2000, () => {
        const a = draw(-1, 1);
        const b =
          uniform(0, 1) < 0.5 ? draw(-1, 1) : twoSum(a.hi, a.lo * (1 + uniform(-1e-3, 1e-3)));
        return { got: apply(a, b), truth: decimal(exactly(a), exactly(b)) };
      });
      expect(error).toBeLessThanOrEqual(1);
      expect(error).toBeGreaterThan(2 ** -7); // the measurement sees rounding at all
    });
  }

  it('exp, log and tanh stay within theirs', () => {
    const { exp, log, tanh, logAbsolute } = DOUBLE_DOUBLE_ERROR;
    for (const [low, high] of [
      [-640, 700],
      [-1, 1],
      [-1e-9, 1e-9],
      [-40, 0],
    ] as const) {
      const error = worst(exp, 150, () => {
        const x = draw(low, high);
        return { got: doubleDouble.exp(x), truth: system.exp(exactly(x)) };
      });
      expect(error).toBeLessThanOrEqual(1);
      expect(error).toBeGreaterThan(2 ** -9);
    }
    for (const [low, high] of [
      [0, 1e300],
      [0.5, 2],
      [1, 1 + 1e-9],
      [1, 1e6],
      [0, 1e-300],
    ] as const) {
      const error = worst(
        log,
        150,
        () => {
          const x = draw(low, high);
          return { got: doubleDouble.log(x), truth: system.log(exactly(x)) };
        },
        logAbsolute,
      );
      expect(error).toBeLessThanOrEqual(1);
    }
    for (const [low, high] of [
      [-0.2, 0.2],
      [-1, 1],
      [-50, 50],
      [-1e-12, 1e-12],
    ] as const) {
      const error = worst(tanh, 150, () => {
        const x = draw(low, high);
        const e = big(120).exp(exactly(x).times(2));
        return { got: doubleDouble.tanh(x), truth: e.minus(1).dividedBy(e.plus(1)) };
      });
      expect(error).toBeLessThanOrEqual(1);
      expect(error).toBeGreaterThan(2 ** -14);
    }
  });

  it('shows an overflow as no number', () => {
    const { hi, lo } = doubleDouble.mul({ hi: 1e300, lo: 0 }, { hi: 1e10, lo: 0 });
    expect(Number.isFinite(hi + lo)).toBe(false);
    expect(doubleDouble.exp({ hi: 710, lo: 0 }).hi).toBe(Infinity);
  });
});
