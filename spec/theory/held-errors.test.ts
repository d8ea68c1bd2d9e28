/**
 * The relative error of a rate of dropout held in a narrower format is the one that is proved.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heldRateError } from '../../reference/bounds/lemmas/held-scalars.ts';
import { CoqFormulas } from './coq-formula.ts';

const file = new URL('HeldScalars.v', import.meta.url);
const coq = new CoqFormulas({}).read(file, ['held_rate_error']);
const ROUNDED = { rate: false, kept: false };

describe('the formula of the proof on held scalars and of the program', () => {
  it('is the same', () => {
    const roundoff = fc.double({ min: 2 ** -24, max: 2 ** -5, noNaN: true });
    const rates = fc.double({ min: 0, max: 0.9, noNaN: true });
    fc.assert(
      fc.property(roundoff, rates, (u, rate) => {
        const [program, theorem] = [
          heldRateError(u, rate, ROUNDED),
          coq.evaluate('held_rate_error', { u, rate }),
        ];
        expect(Math.abs(program - theorem)).toBeLessThanOrEqual(1e-12 * theorem);
      }),
    );
  });

  it('covers every rate as f32 holds it, and is soon used up', () => {
    let largest = 0;
    const near = fc.integer({ min: 1, max: 2 ** 22 }).map((n) => 1 - n / 2 ** 22.5);
    fc.assert(
      fc.property(fc.oneof(near, fc.double({ min: 0, max: 0.9999, noNaN: true })), (rate) => {
        const kept = Math.fround(1 - Math.fround(rate));
        const off = heldRateError(2 ** -24, rate, ROUNDED);
        if (off === Number.POSITIVE_INFINITY) return;
        const error = Math.abs((1 - rate) / kept - 1);
        expect(error).toBeLessThanOrEqual(off + 2 ** -50);
        largest = Math.max(largest, error / off);
      }),
      { numRuns: 5000, seed: 2 },
    );
    expect(largest).toBeGreaterThan(0.5);
  });
});
