/**
 * Sigmoids and their logarithms as far off as WGSL lets them be, in base e and 2, against what
 * SigmoidAccuracy.v concludes of them.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exp, log, tanh } from '../../reference/numbers/float64.ts';
import { CoqStatements } from './coq-terms.ts';

const UA = 2 ** -24;
const ETA = 2 ** -126;
const coq = new CoqStatements(['SigmoidMerge', 'SigmoidAccuracy'], { exp, ln: log, tanh });
const concluded = (theorem: string, given: Record<string, number>): number =>
  coq.bounds(`SigmoidAccuracy.${theorem}`)(given)[0] ?? 0;

/** By which share of what is allowed each operation errs. */
const share = fc.oneof(fc.constantFrom(-1, 1), fc.double({ min: -1, max: 1, noNaN: true }));
const run = fc.record({
  La: fc.double({ min: -300, max: 300, noNaN: true }),
  apart: fc.oneof(
    fc.double({ min: -4, max: 4, noNaN: true }),
    fc.double({ min: -200, max: 200, noNaN: true }),
  ),
  base: fc.constantFrom(1, Math.LN2),
  off: fc.array(share, { minLength: 6, maxLength: 6 }),
});
type Run = typeof run extends fc.Arbitrary<infer T> ? T : never;

/** e^x in base e^b: the argument is rounded, in base 2 once more, and the constant log₂e too. */
function exponential(x: number, b: number, [argument = 0, value = 0]: readonly number[]): number {
  const a = (x / b) * (1 + argument * UA * (b === 1 ? 1 : 3));
  return exp(b * a) * (1 + value * (3 + 2 * Math.abs(a)) * 2 * UA);
}

const away = (x: number, by: number, share: number): number => x + share * by;

function sigmoid({ base, off }: Run, La: number, Lb: number): number {
  const e = exponential(La - Lb, base, off);
  const t = away(1 + e, UA * (1 + e), off[2] ?? 0);
  return away(1 / t, 5 * UA * (1 / t), off[3] ?? 0);
}

function merged({ base, off, La, apart }: Run): number {
  const d = away(apart, UA * Math.abs(apart), off[4] ?? 0);
  const e = exponential(-Math.abs(d), base, off);
  const t = away(1 + e, UA * (1 + e), off[2] ?? 0);
  const g = away(log(t), 8 * UA, off[3] ?? 0);
  const p = away(Math.min(0, d) - g, UA * (Math.abs(d) + Math.abs(g)), off[5] ?? 0);
  return away(La - p, UA * (Math.abs(La) + Math.abs(p)), off[4] ?? 0);
}

/** The largest share of a bound that is reached, each of them within it. */
function reached(check: (one: Run) => readonly [error: number, bound: number]): number {
  let most = 0;
  fc.assert(
    fc.property(run, (one) => {
      const [error, bound] = check(one);
      // What float64 itself loses here is 2⁻²⁹ of a roundoff of f32.
      expect(error).toBeLessThanOrEqual(bound * (1 + 2 ** -24));
      most = Math.max(most, error / bound);
    }),
    { seed: 7, numRuns: 5_000 },
  );
  return most;
}

describe('a merge by a sigmoid', () => {
  it('has a weight within the bound, which is not much too wide', () => {
    const most = reached((one) => {
      const [x, w] = [one.apart, sigmoid(one, one.La, one.La - one.apart)];
      return [Math.abs(w - 1 / (1 + exp(x))), concluded('sigmoid_weight', { ua: UA, eta: ETA })];
    });
    expect(most).toBeGreaterThan(0.6);
  });

  it('scales what is merged with a sink by a weight as near', () => {
    const most = reached((one) => {
      const [x, w] = [one.apart, sigmoid(one, one.La - one.apart, one.La)];
      return [Math.abs(w - 1 / (1 + exp(-x))), concluded('sigmoid_scaled', { ua: UA, eta: ETA })];
    });
    expect(most).toBeGreaterThan(0.6);
  });

  it('has a log-sum-exp within the bound, which is not much too wide', () => {
    const most = reached((one) => {
      const { La, apart } = one;
      const exact = La + Math.max(0, -apart) + log(1 + exp(-Math.abs(apart)));
      const given = { ua: UA, La, Lb: La - apart };
      return [Math.abs(merged(one) - exact), concluded('sigmoid_lse', given)];
    });
    expect(most).toBeGreaterThan(0.5);
  });
});
