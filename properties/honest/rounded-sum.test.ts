import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { profileFrom } from '../../reference/bounds/lemmas/profile-options.ts';
import type { AttentionCase } from '../../reference/case/case.ts';
import { type CaseChanges, drawCase } from '../../reference/case/draw-case.ts';
import { exp, log } from '../../reference/numbers/float64.ts';
import { roundTo } from '../../reference/numbers/format.ts';
import { filled, zeros } from '../../reference/numbers/tensor.ts';
import { expectation } from '../../reference/verdict/expectation.ts';
import { isFailure, judge, judgeAgainst } from '../../reference/verdict/judge.ts';
import { given } from './backward.ts';
import { honestOutputs } from './candidate.ts';
import { choicesArbitrary } from './choices.ts';

const PROFILE = 'bf16+rounded-sum';

/** Two keys, the first ahead by `ahead`: P is 1 and e^−ahead, and V is 0 and 1. */
function twoKeys(ahead: number): AttentionCase {
  return drawCase(1, {
    ...{ heads: 1, kv_heads: 1, seq_q: 1, seq_kv: 2, head_dim: 1, head_dim_v: 1, scale: 1 },
    ...{ dtype: 'bf16', judging: 'structured', gradients: false, bias: [1, 1, 1, 2] },
    adjust: (inputs) => {
      inputs.q = zeros([1, 1, 1, 1]);
      inputs.bias?.set(0, 0, 0, 0, 0);
      inputs.bias?.set(0, 0, 0, 1, -ahead);
      inputs.v = zeros([1, 1, 2, 1]);
      inputs.v.set(0, 0, 1, 0, 1);
    },
  });
}

/** O = Σ P̃V / Σ P̃ and LSE = m + log Σ P̃, P̃ rounded by `rounded`, all else exact. */
function answer(ahead: number, rounded: (x: number) => number) {
  const p = rounded(exp(-ahead));
  const [out, lse] = [p / (1 + p), log(1 + p)];
  return {
    out: given(filled([1, 1, 1, 1], roundTo('bf16', out)), 'F32'),
    lse: given(filled([1, 1, 1], lse), 'F32'),
  };
}

const toBf16 = (x: number): number => roundTo('bf16', x);

describe('a denominator summed from the P that was rounded for P·V', () => {
  // Where bf16 is off by nearly half an ULP of P, and P is half of what is summed.
  const AHEADS = Array.from({ length: 32 }, (_, n) => n / 32);
  const off = (ahead: number): number => Math.abs(toBf16(exp(-ahead)) / exp(-ahead) - 1);
  const ahead = AHEADS.reduce((most, one) => (off(one) > off(most) ? one : most), 0);

  it('is refused by its LSE where a profile does not grant it, and passes where one does', () => {
    expect(judge(twoKeys(ahead), answer(ahead, toBf16), 'bf16').verdict).toBe('impossible');
    for (const one of AHEADS) {
      const { verdict, reason } = judge(twoKeys(one), answer(one, toBf16), PROFILE);
      expect([isFailure(verdict), reason]).toEqual([false, reason]);
    }
  });

  it('is refused where P was rounded to half as many digits', () => {
    const coarse = (x: number): number => Math.round(x * 16) / 16;
    const refused = AHEADS.filter((one) =>
      isFailure(judge(twoKeys(one), answer(one, coarse), PROFILE).verdict),
    );
    expect(refused.length).toBeGreaterThan(AHEADS.length / 2);
  });

  it('leaves a denominator refused that is summed of other weights than the numerator', () => {
    const other = { ...answer(ahead, toBf16), out: answer(ahead, (x) => 0.9 * x).out };
    expect(judge(twoKeys(ahead), other, PROFILE).verdict).toBe('impossible');
  });

  it('is granted with dropout, sinks, ranks and keys masked by a bias, whatever else is chosen', () => {
    const programs = fc
      .sample(choicesArbitrary(profileFrom('f16+rounded-sum')), { numRuns: 12, seed: 8 })
      .map((choices) => ({ ...choices, sum: 'rounded' as const }));
    const masked: CaseChanges = {
      bias: [1, 1, 1, 6],
      adjust: ({ bias }) => {
        for (const j of [0, 2]) bias?.set(0, 0, 0, j, -6e4);
      },
    };
    const base: CaseChanges = { seq_q: 2, seq_kv: 6, dtype: 'f16', judging: 'structured' };
    for (const changes of [{ dropout_rate: 0.25, sink: true }, masked]) {
      const c = drawCase(3, { ...base, ...changes });
      const expected = expectation(c, 'f16+rounded-sum');
      for (const choices of programs) {
        const outputs = honestOutputs(c, 'f16+rounded-sum', choices);
        const { verdict, reason } = judgeAgainst(expected, outputs);
        expect([isFailure(verdict), reason]).toEqual([false, reason]);
      }
    }
  });
});
