/**
 * The long run of the kernels: exp and log on 10⁶ points against decimals, 10⁶ elements of every feature
 * with every hostile value, and rows of 10⁵ keys.
 * @module
 */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { expect, it } from 'vitest';
import { drawCase } from '../../case/draw-case.ts';
import { evaluate } from '../../definition/reference.ts';
import { big } from '../../numbers/big.ts';
import { doubleDouble } from '../../numbers/double-double.ts';
import { toFlat } from '../../numbers/tensor.ts';
import { containment, HOSTILE, hostileCase } from '../../testing/containment.ts';
import { doubleContainment } from '../../testing/double-containment.ts';
import { FEATURE_CASES } from '../../testing/feature-cases.ts';
import { kernelBalls } from '../../testing/kernel-balls.ts';
import { certifyDouble } from '../double/double-certify.ts';
import { newDoubleSums } from '../double/double-sums.ts';
import { kernelModule } from '../module.ts';
import { certify } from './certify.ts';

const U = 2 ** -53;
const POINTS = 500_000;
const ELEMENTS = Number(process.env.XATTN_LONG_ELEMENTS ?? 1_000_000);
const system = big(30);

/** Largest |f(x) − truth|/(u·|truth|) over POINTS draws. */
function worst(name: 'expMany' | 'logMany', draw: (uniform: () => number) => number): number {
  const generator = xoroshiro128plus(name.length * 1000 + 7);
  const kernels = kernelModule();
  const { from, to } = kernels.layOut({ from: POINTS, to: POINTS });
  for (let n = 0; n < POINTS; n++) from.view[n] = draw(() => uniformFloat64(generator));
  kernels.run[name](from.at, to.at, POINTS);
  let largest = 0;
  for (let n = 0; n < POINTS; n++) {
    const x = system.fromNumber(from.view[n] ?? 0);
    const truth = name === 'expMany' ? system.exp(x) : system.log(x);
    const error = system.fromNumber(to.view[n] ?? 0).minus(truth);
    largest = Math.max(largest, error.dividedBy(truth).abs().toNumber() / U);
  }
  return largest;
}

it('exp is within 3u and log within 5u on 10⁶ points', { timeout: 3_600_000 }, () => {
  const exp = worst('expMany', (uniform) => 1416 * uniform() - 707);
  const log = worst(
    'logMany',
    (uniform) => Math.fround(2 ** (Math.floor(uniform() * 80) - 40)) * (1 + uniform()),
  );
  console.log({ exp, log });
  expect(exp).toBeLessThanOrEqual(3);
  expect(log).toBeLessThanOrEqual(5);
  expect(Math.min(exp, log)).toBeGreaterThan(0.4);
});

it('no ball misses the truth on 10⁶ elements, every feature with every hostile value', {
  timeout: 3_600_000,
}, () => {
  let [checked, bounded, doubles, boundedDoubles, seed] = [0, 0, 0, 0, 0];
  const digits = 80;
  const decimals = big(digits);
  for (; checked < ELEMENTS; seed++) {
    const [name, c] = hostileCase(seed);
    const truth = evaluate(decimals, c);
    const found = containment(kernelBalls, c, digits, truth);
    expect([name, found.missed]).toEqual([name, []]);
    const double = doubleContainment(c, truth);
    expect([name, double.missed]).toEqual([name, []]);
    checked += found.checked + double.all;
    bounded += found.checked - found.unbounded;
    doubles += double.all;
    boundedDoubles += double.finite;
  }
  console.log({ checked, bounded, doubles, boundedDoubles, seed });
  expect(seed).toBeGreaterThan(FEATURE_CASES.length * HOSTILE.length);
});

it('no ball misses the truth of rows with 10⁵ keys', { timeout: 3_600_000 }, () => {
  const c = drawCase(4, {
    ...{ heads: 1, seq_q: 2, seq_kv: 100_000, head_dim: 4, head_dim_v: 2, scale: 1 },
  });
  const certified = certify(c);
  const doubles = certifyDouble(c);
  for (const [name, truth] of Object.entries(evaluate(doubleDouble, c))) {
    const found = certified[name as 'out'];
    expect(found).toBeDefined();
    if (found === undefined) continue;
    const [mids, radii] = [toFlat(found.mid), toFlat(found.radius)];
    const outside = toFlat(truth).filter((exact, n) => {
      const { hi, lo } = exact ?? { hi: Number.NaN, lo: 0 };
      return !(Math.abs((mids[n] ?? 0) - hi - lo) <= (radii[n] ?? 0));
    });
    expect([name, outside.length]).toEqual([name, 0]);
    // Double-double balls over the same definition lose 10⁵·2⁻¹⁰²: far less than these radii.
    const { high, low, radius } = doubles[name as 'out'] ?? newDoubleSums(0);
    const far = toFlat(truth).filter((exact, n) => {
      const { hi, lo } = exact ?? { hi: Number.NaN, lo: 0 };
      const error = Math.abs((high[n] ?? 0) - hi + ((low[n] ?? 0) - lo));
      return !(error <= (radius[n] ?? 0) + Math.abs(hi) * 2 ** -80);
    });
    expect([name, far.length, high.length]).toEqual([name, 0, mids.length]);
  }
});
