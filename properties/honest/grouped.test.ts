import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROFILES } from '../../reference/bounds/lemmas/profile.ts';
import { drawCase } from '../../reference/case/draw-case.ts';
import { readCase } from '../../reference/files/case-folder.ts';
import { roundTo } from '../../reference/numbers/format.ts';
import { mapTensor, toFlat } from '../../reference/numbers/tensor.ts';
import { expectation } from '../../reference/verdict/expectation.ts';
import { isFailure, judge, judgeAgainst } from '../../reference/verdict/judge.ts';
import { honestOutputs } from './candidate.ts';
import { choicesArbitrary } from './choices.ts';

const folder = (name: string): string =>
  new URL(`../../reference/testing/found/refused-honest/${name}`, import.meta.url).pathname;
const FOUND = folder('gqa-heads-stored-f16');

const PROGRAMS = fc
  .sample(choicesArbitrary(PROFILES.f16), { numRuns: 100, seed: 5 })
  .map((choices) => ({ ...choices, groups: 'stored' as const }));

describe('dK and dV of each query head stored in half before the sum over their group', () => {
  it('are never refused, near the smallest subnormals included', () => {
    const found = readCase(FOUND);
    const grouped = { heads: 8, kv_heads: 1, dtype: 'f16', judging: 'structured' } as const;
    const small = drawCase(4, {
      ...grouped,
      adjust: (inputs) => {
        inputs.d_out = mapTensor(inputs.d_out!, (x) => roundTo('f16', x * 2 ** -20));
      },
    });
    for (const c of [found, drawCase(4, grouped), small]) {
      const expected = expectation(c, 'f16');
      for (const choices of PROGRAMS) {
        const { verdict, reason } = judgeAgainst(expected, honestOutputs(c, 'f16', choices));
        expect([isFailure(verdict), reason]).toEqual([false, reason]);
      }
    }
  });

  it('are not refused where one head overflows and the sum of the group does not', () => {
    const c = readCase(folder('gqa-heads-overflow-f16'));
    const expected = expectation(c, 'f16');
    const answers = PROGRAMS.map((choices) => honestOutputs(c, 'f16', choices));
    const infinite = answers.filter(({ d_v }) =>
      toFlat(d_v!.tensor).some((x) => !Number.isFinite(x)),
    );
    expect(infinite.length).toBeGreaterThan(0);
    for (const outputs of answers) {
      const { verdict, reason } = judgeAgainst(expected, outputs);
      expect([isFailure(verdict), reason]).toEqual([false, reason]);
    }
    // Where nothing is stored in half there is no such excuse.
    expect(expectation(c, 'f32').worstCase.of('d_v', 0)!.get(0, 0, 0, 0)).toBeLessThan(2);
  });

  it('leave an error of a tenth refused, and f32 no room for it', () => {
    const c = readCase(FOUND);
    const [choices] = PROGRAMS;
    const outputs = honestOutputs(c, 'f16', choices!);
    const { dtype, tensor } = outputs.d_v!;
    const wrong = { ...outputs, d_v: { dtype, tensor: mapTensor(tensor, (x) => 2 * x) } };
    expect(judge(c, wrong, 'f16').verdict).toBe('impossible');
    expect(judge(c, outputs, 'f32').verdict).toBe('impossible');
  });
});
