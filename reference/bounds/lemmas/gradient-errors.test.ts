import { describe, expect, it } from 'vitest';
import { roundTo } from '../../numbers/format.ts';
import { errorModel } from './error-model.ts';
import {
  factorError,
  fromKey,
  fromKeyTerms,
  gradientError,
  gradientTerms,
  keyConstant,
  keyOfOperand,
  keyTerms,
  probabilityError,
  scoreGradientError,
  scoreGradientTerms,
  storedGradientError,
  valueConstant,
  valueOfCotangent,
  valueTerms,
} from './gradient-errors.ts';
import { PROFILES } from './profile.ts';

const half = (x: number): number => roundTo('f16', x);
const f16 = errorModel(PROFILES.f16, 'f16', null);
const f16OfF32 = errorModel(PROFILES.f16, 'f32', null);

/** Honest f16 steps where numbers are near the smallest subnormal, 2⁻²⁴. */
describe('errors of gradients near zero', () => {
  it('allow dS to be scaled and then rounded to f16', () => {
    const [dS, scale, k] = [2 ** -22, 1 / 8, 1024];
    const lost = Math.abs(half(scale * dS) * k - scale * dS * k);
    expect(lost).toBe(2 ** -15);
    const terms = keyTerms(f16, scale);
    const [ofOperand, constant] = [keyOfOperand(terms, dS, 0), keyConstant(terms, dS, 0)];
    expect(ofOperand * k + constant).toBeGreaterThan(lost);
    expect(ofOperand * k + constant).toBeLessThan(1.5 * lost);
  });

  it('allow P to be rounded to f16 before D = Σ P∘G', () => {
    const [p, g] = [2 ** -25, 4];
    const lost = Math.abs(half(p) - p) * g;
    expect(lost).toBe(2 ** -23);
    const pError = probabilityError(f16, p, 2 ** -11);
    expect(fromKey(fromKeyTerms(f16, 1), p, pError, g, 0)).toBeGreaterThan(lost);
  });

  it('allow dS to be rounded to f16 before it is summed into a broadcast bias', () => {
    const dS = 2 ** -25;
    expect(storedGradientError(f16, dS, 0)).toBeGreaterThanOrEqual(Math.abs(half(dS) - dS));
  });

  it('allow f32 inputs to be rounded to f16: dO, V and dLSE', () => {
    const x = 2 ** -25;
    const lost = Math.abs(half(x) - x);
    expect(lost).toBe(2 ** -25);
    expect(gradientError(gradientTerms(f16OfF32, 1), 1, 1024 * x, 0, 1024 + x)).toBeGreaterThan(
      1024 * lost,
    );
    const terms = valueTerms(f16OfF32);
    const [ofCotangent, constant] = [
      valueOfCotangent(terms, 2, 1, 0),
      valueConstant(terms, 2, 1, 0),
    ];
    expect(ofCotangent * x + constant).toBeGreaterThan(2 * lost);
    const of = (model: typeof f16): number =>
      scoreGradientError(scoreGradientTerms(model, { d: 0, dLse: x }, 0), 1, 0, 0, 0);
    expect(of(f16OfF32)).toBeGreaterThan(lost);
    expect(of(f16)).toBeLessThan(lost);
  });

  it('allow 1 − t² with a coarse tanh', () => {
    const [t, tc] = [0.5, 1.5];
    expect(factorError(f16, t, 1)).toBeGreaterThan(Math.abs(1 - tc * tc - (1 - t * t)));
  });
});
