import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { honestOutputs } from '../properties/honest/candidate.ts';
import { choicesArbitrary } from '../properties/honest/choices.ts';
import { profileFrom } from '../reference/bounds/lemmas/profile-options.ts';
import { roundTo } from '../reference/numbers/format.ts';
import { mapTensor } from '../reference/numbers/tensor.ts';
import { expectation } from '../reference/verdict/expectation.ts';
import { judgeAgainst } from '../reference/verdict/judge.ts';
import { suite } from './suite.ts';

const SMALL = /anchored\/(?!dropped)/;

/** Programs that round their operands as the whole base may, and those of the fused profile. */
const PROFILES = ['bf16', 'f16', 'bf16+fused-kernel', 'f16+fused-kernel'] as const;

describe('probes whose roundings vanish', () => {
  it.each(PROFILES)('refuse no honest program of %s, whatever it chooses', (name) => {
    const profile = profileFrom(name);
    const dtype = profile.base === 'f16' ? 'f16' : 'bf16';
    const choices = fc.sample(choicesArbitrary(profile), { numRuns: 12, seed: 8 });
    const cases = suite('core', dtype, { seed: 2 }).filter(({ id }) => SMALL.test(id));
    expect(cases.length).toBe(6);
    for (const one of cases) {
      const expected = expectation(one.build(), profile);
      for (const chosen of choices) {
        const outputs = honestOutputs(expected.attentionCase, profile, chosen);
        const { verdict, reason } = judgeAgainst(expected, outputs);
        expect({ id: one.id, verdict, reason }).toMatchObject({ verdict: 'pass' });
      }
    }
  });

  it.each(['bf16', 'f16'] as const)('refuse outputs of %s that are 0.4 %% off', (dtype) => {
    const profile = profileFrom(`${dtype}+fused-kernel`);
    const [chosen] = fc.sample(choicesArbitrary(profile), { numRuns: 1, seed: 8 });
    const [one] = suite('core', dtype).filter(({ id }) => id === 'core/anchored/score-gradient');
    const expected = expectation(one!.build(), profile);
    const honest = honestOutputs(expected.attentionCase, profile, chosen!);
    for (const name of ['d_q', 'd_k', 'd_v'] as const) {
      for (const factor of [0.996, 1.004]) {
        const tensor = mapTensor(honest[name]!.tensor, (x) => roundTo(dtype, factor * x));
        const { verdict } = judgeAgainst(expected, { ...honest, [name]: { dtype: 'F32', tensor } });
        // A power of two is stepped over only where its neighbours are that near.
        expect({ name, factor, verdict }).toMatchObject({ verdict: 'impossible' });
      }
    }
  });
});
