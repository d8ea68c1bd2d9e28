import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { caseModel } from '../../reference/bounds/lemmas/error-model.ts';
import {
  PROFILE_NAMES,
  PROFILES,
  type ProfileName,
} from '../../reference/bounds/lemmas/profile.ts';
import type { AttentionCase, OutputName } from '../../reference/case/case.ts';
import { drawCase } from '../../reference/case/draw-case.ts';
import { readCase } from '../../reference/files/case-folder.ts';
import { mapTensor } from '../../reference/numbers/tensor.ts';
import { expectation } from '../../reference/verdict/expectation.ts';
import { isFailure, judge, judgeAgainst } from '../../reference/verdict/judge.ts';
import { honestOutputs } from './candidate.ts';
import { choicesArbitrary } from './choices.ts';

const FOUND = new URL('../../reference/testing/found/refused-honest/', import.meta.url).pathname;

/** Verdicts and reasons on many programs that hold the case's scalars in the format they sum in. */
function refusals(c: AttentionCase, profile: ProfileName, numRuns = 60): string[] {
  const expected = expectation(c, profile);
  return fc.sample(choicesArbitrary(PROFILES[profile]), { numRuns, seed: 3 }).flatMap((choices) => {
    const { verdict, reason } = judgeAgainst(expected, honestOutputs(c, profile, choices));
    return isFailure(verdict) ? [`${verdict}: ${reason}`] : [];
  });
}

/** The right answer of a program with one output a little off. */
function offBy(c: AttentionCase, profile: ProfileName, name: OutputName, factor: number): string {
  const [choices] = fc.sample(choicesArbitrary(PROFILES[profile]), { numRuns: 1, seed: 3 });
  const outputs = honestOutputs(c, profile, choices!);
  const { dtype, tensor } = outputs[name]!;
  const wrong = { ...outputs, [name]: { dtype, tensor: mapTensor(tensor, (x) => x * factor) } };
  return judge(c, wrong, profile).verdict;
}

describe('a rate of dropout held in f32', () => {
  for (const [name, factor] of [
    ['dropout-0.9999', 1.002],
    ['dropout-0.99999', 1.02],
  ] as const) {
    it(`refuses nobody on ${name}, and sees a factor of ${factor}`, () => {
      const c = readCase(`${FOUND}${name}`);
      expect(refusals(c, 'f32')).toEqual([]);
      for (const output of ['out', 'd_v'] as const) {
        expect([output, offBy(c, 'f32', output, factor)]).toEqual([output, 'impossible']);
      }
      // f64 holds the rate as it is: κ off by an f32's error is refused there.
      expect(offBy(c, 'f64', 'out', 1 + 1e-7)).toBe('impossible');
    });
  }

  it('costs nothing where the format holds it, and much where it cancels', () => {
    const off = (rate: number, profile: ProfileName = 'f32') =>
      caseModel(PROFILES[profile], drawCase(1, { dropout_rate: rate }).parameters, null).held.kappa;
    expect([0, 0.25, 0.5, 0.875].map((rate) => off(rate))).toEqual([0, 0, 0, 0]);
    expect(off(0.1)).toBeGreaterThan(1.1 * 2 ** -24);
    expect(off(0.1)).toBeLessThan(1.2 * 2 ** -24);
    expect(off(0.9999)).toBeGreaterThan(5e-4);
    expect(off(0.9999)).toBeLessThan(7e-4);
    expect(off(1 - 2 ** -26)).toBe(Infinity);
    expect(off(0.9999, 'f64')).toBeLessThan(2 ** -52);
  });

  it('excuses what is divided by 1 − rate where that may be zero, and not the LSE', () => {
    const c = drawCase(1, { dropout_rate: 1 - 2 ** -26, judging: 'structured' });
    expect(refusals(c, 'f32')).toEqual([]);
    const { excused } = expectation(c, 'f32');
    expect(['out', 'd_q', 'd_k', 'd_v'].map((x) => excused(x as OutputName)!.data[0])).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(excused('lse')!.data).not.toContain(true);
    expect(offBy(c, 'f32', 'lse', 1.001)).toBe('impossible');
  });
});

describe('a scale or a softcap outside f32', () => {
  it('of 10³⁹ refuses nobody in f32, and is judged in f64', () => {
    const c = readCase(`${FOUND}scale-1e39`);
    expect(refusals(c, 'f32')).toEqual([]);
    expect(refusals(c, 'f64')).toEqual([]);
    expect(offBy(c, 'f64', 'out', 1.001)).toBe('impossible');
  });

  for (const profile of PROFILE_NAMES) {
    it(`whatever its size refuses nobody at ${profile}`, () => {
      for (const size of [1e-320, 1e-46, 1e-39, 2 ** -126, 1e38, 3e38, 1e39, 1e300]) {
        // Q and K so large or small that the scores are of ordinary size, where they can be.
        const size2 = Math.min(2 ** 60, Math.max(2 ** -60, 1 / Math.sqrt(size)));
        const scaled = (changes: object) =>
          drawCase(2, {
            ...{ dtype: profile === 'f64' ? 'f64' : 'f32', judging: 'structured', ...changes },
            adjust: (inputs) => {
              inputs.q = mapTensor(inputs.q!, (x) => Math.fround(x * size2));
              inputs.k = mapTensor(inputs.k!, (x) => Math.fround(x * size2));
            },
          });
        const cases = [
          scaled({ scale: size }),
          drawCase(2, { softcap: size, judging: 'structured' }),
        ];
        for (const c of cases) {
          expect([size, c.parameters.softcap, refusals(c, profile, 20)]).toEqual([
            size,
            c.parameters.softcap,
            [],
          ]);
        }
      }
    });
  }

  it('below the smallest normal number is judged, within what flushing it to zero may cost', () => {
    const c = drawCase(2, {
      ...{ scale: 1e-39, judging: 'structured' },
      adjust: (inputs) => {
        for (const name of ['q', 'k'] as const) {
          inputs[name] = mapTensor(inputs[name]!, (x) => x * 2 ** 60);
        }
      },
    });
    const { excused, values } = expectation(c, 'f32');
    expect(excused('d_q')?.data ?? []).not.toContain(true);
    // The scores are about 1, and 0 to a program that holds the scale as zero.
    const flushed = (name: OutputName) => ({
      dtype: 'F32',
      tensor: mapTensor(values[name]!, () => 0),
    });
    const outputs = {
      ...honestOutputs(
        c,
        'f32',
        fc.sample(choicesArbitrary(PROFILES.f32), { numRuns: 1, seed: 3 })[0]!,
      ),
    };
    expect(judge(c, { ...outputs, d_q: flushed('d_q') }, 'f32').verdict).toBe('pass');
    expect(judge(c, { ...outputs, d_q: flushed('d_q') }, 'f64').verdict).not.toBe('pass');
  });
});
