import fc from 'fast-check';
import { expect, it } from 'vitest';
import { profileFrom } from '../../reference/bounds/lemmas/profile-options.ts';
import { drawCase } from '../../reference/case/draw-case.ts';
import { roundTo } from '../../reference/numbers/format.ts';
import { mapTensor } from '../../reference/numbers/tensor.ts';
import { judge } from '../../reference/verdict/judge.ts';
import { honestOutputs } from './candidate.ts';
import { choicesArbitrary } from './choices.ts';

it('halves flushed to zero are granted by name, and refused to who does not say so', () => {
  const profile = 'f16+flushed-subnormals';
  const c = drawCase(4, {
    ...{ dtype: 'f16', judging: 'structured', gradients: false },
    adjust: (inputs) => {
      inputs.v = mapTensor(inputs.v!, (x) => roundTo('f16', x * 2 ** -16));
    },
  });
  const drawn = fc.sample(choicesArbitrary(profileFrom(profile)), { numRuns: 20, seed: 2 });
  for (const choices of drawn) {
    const outputs = honestOutputs(c, profile, { ...choices, flush: true });
    expect(judge(c, outputs, profile).verdict).toBe('pass');
    expect(judge(c, outputs, 'f16').verdict).toBe('impossible');
    const out = { ...outputs.out!, tensor: mapTensor(outputs.out!.tensor, () => 2 ** -11) };
    expect(judge(c, { ...outputs, out }, profile).verdict).toBe('impossible');
  }
});
