/**
 * Softcaps derived step by step: dS times c may underflow or overflow before it is divided by c again.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  PROFILE_NAMES,
  PROFILES,
  type ProfileName,
} from '../../reference/bounds/lemmas/profile.ts';
import type { AttentionCase, OutputName } from '../../reference/case/case.ts';
import { drawCase } from '../../reference/case/draw-case.ts';
import { mapTensor } from '../../reference/numbers/tensor.ts';
import { expectation } from '../../reference/verdict/expectation.ts';
import { isFailure, judgeAgainst } from '../../reference/verdict/judge.ts';
import { honestOutputs } from './candidate.ts';
import { choicesArbitrary, type HonestChoices } from './choices.ts';

/** Scores of about the softcap's size, and a cotangent of another. */
function cappedCase(softcap: number, cotangent: number, bias = false): AttentionCase {
  return drawCase(5, {
    ...{ softcap, dLse: false, judging: 'structured', ...(bias ? { bias: [9] } : {}) },
    adjust: (inputs) => {
      inputs.q = mapTensor(inputs.q!, (x) => Math.fround(x * softcap));
      inputs.d_out = mapTensor(inputs.d_out!, (x) => Math.fround(x * cotangent));
    },
  });
}

const programs = (profile: ProfileName, numRuns = 20): HonestChoices[] =>
  fc.sample(choicesArbitrary(PROFILES[profile]), { numRuns, seed: 11 });

/** What is said of many programs that step through c·tanh(raw/c), and of one output times a factor. */
function refusals(c: AttentionCase, profile: ProfileName): string[] {
  const expected = expectation(c, profile);
  return programs(profile).flatMap((choices) => {
    const { verdict, reason } = judgeAgainst(expected, honestOutputs(c, profile, choices));
    return isFailure(verdict) ? [`${choices.softcap} ${verdict}: ${reason}`] : [];
  });
}

function offBy(c: AttentionCase, name: OutputName, factor: number): string {
  const outputs = honestOutputs(c, 'f32', { ...programs('f32', 1)[0]!, elementary: 'rounded' });
  const { dtype, tensor } = outputs[name]!;
  const wrong = { ...outputs, [name]: { dtype, tensor: mapTensor(tensor, (x) => x * factor) } };
  return judgeAgainst(expectation(c, 'f32'), wrong).verdict;
}

describe('a softcap derived step by step', () => {
  for (const profile of PROFILE_NAMES) {
    it(`refuses nobody at ${profile}, however small c and dS are`, () => {
      for (const [softcap, cotangent] of [
        ...([1e-18, 1e-25, 1e-30] as const).flatMap((c) =>
          [1e-40, 1e-44].map((product) => [c, product / c] as const),
        ),
        ...[2 ** -10, 30].map((c) => [c, 1] as const),
      ]) {
        const found = refusals(cappedCase(softcap, cotangent), profile);
        expect([softcap, cotangent, found]).toEqual([softcap, cotangent, []]);
      }
    });
  }

  it('has lost what it may lose, and no more', () => {
    const c = cappedCase(1e-25, 1e-18);
    const [choices] = programs('f32', 1);
    const plain = honestOutputs(c, 'f32', { ...choices!, softcap: 'slope' }).d_q!.tensor.data;
    const steps = honestOutputs(c, 'f32', { ...choices!, softcap: 'divided' }).d_q!.tensor.data;
    const off = Math.max(...Array.from(plain, (x, n) => Math.abs((steps[n] ?? 0) - x)));
    expect(off).toBeGreaterThan(0.02 * Math.max(...Array.from(plain, Math.abs)));
    // ω/c is 10⁻¹³: a dQ of 10⁻¹² that is off by a half is seen, and so is one of 1 by very little.
    expect(offBy(c, 'd_q', 1.001)).toBe('pass');
    expect(offBy(cappedCase(1e-25, 1e-9), 'd_q', 1.5)).toBe('impossible');
    expect(offBy(cappedCase(1e-25, 1), 'd_q', 1.01)).toBe('impossible');
    expect(offBy(cappedCase(30, 1), 'd_q', 1.01)).toBe('impossible');
  });

  it('may overflow in dS times c, and dBias does not', () => {
    const c = cappedCase(50, 2e35, true);
    expect(refusals(c, 'f32')).toEqual([]);
    const { excused } = expectation(c, 'f32');
    expect(excused('d_q')!.data).toContain(true);
    expect(excused('d_bias')?.data ?? []).not.toContain(true);
    expect(offBy(c, 'd_bias', 1.05)).toBe('impossible');
  });
});
