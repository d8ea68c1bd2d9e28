import { expect, it } from 'vitest';
import { drawCase } from '../reference/case/draw-case.ts';
import { mapTensor } from '../reference/numbers/tensor.ts';
import { expectation } from '../reference/verdict/expectation.ts';
import { judgeAgainst } from '../reference/verdict/judge.ts';
import { withFunctionals } from './functionals.ts';

const c = drawCase(7, { dtype: 'f16', seq_q: 8, seq_kv: 16, gradients: false });

it('refuses what leans within the bounds, says which way, and leaves other verdicts alone', () => {
  const expected = expectation(c, 'f16+fused-kernel');
  const answer = (factor: number, shift = 0) => ({
    out: {
      dtype: 'F32',
      tensor: mapTensor(expected.values.out!, (x) => Math.fround(factor * x + shift)),
    },
    lse: { dtype: 'F32', tensor: expected.values.lse! },
  });
  const verdictOn = (outputs: ReturnType<typeof answer>) =>
    withFunctionals(judgeAgainst(expected, outputs), c, 'f16+fused-kernel', outputs);
  expect(verdictOn(answer(1))).toMatchObject({ verdict: 'pass', reason: 'within the bounds' });
  expect(judgeAgainst(expected, answer(1.0006)).verdict).toBe('pass');
  const leaning = verdictOn(answer(1.0006));
  expect(leaning.verdict).toBe('improbable');
  expect(leaning.reason).toMatch(
    /^within the bounds, but out leans as if it were 0\.06 % too large.*: z = \S+, above 11\.3 at profile f16\+fused-kernel$/,
  );
  expect(verdictOn(answer(1.0004))).toMatchObject({
    verdict: 'pass',
    reason: expect.stringContaining('; a warning: out leans'),
  });
  expect(verdictOn(answer(1, 1)).verdict).toBe('impossible');
});
