/**
 * A trial: the outside implementation with a flaw, judged by a suite as the gate does, and diagnosed.
 * @module
 */
import type { Fault } from '../../../properties/zoo/fault.ts';
import { PROFILES } from '../../../reference/bounds/lemmas/profile.ts';
import type { AttentionCase, Outputs } from '../../../reference/case/case.ts';
import { type Expectation, expectation } from '../../../reference/verdict/expectation.ts';
import { judgeAgainst } from '../../../reference/verdict/judge.ts';
import { inDrawnOrder } from '../../select.ts';
import { suite } from '../../suite.ts';
import { diagnose } from '../diagnose.ts';
import type { Diagnosis } from '../diagnosis.ts';
import { observer } from '../kept-answers.ts';

/** Cases of a suite that an implementation of attention, without recomputation, answers, with what is expected. */
export function trialCases(name: 'smoke' | 'core', seed: number): Expectation[] {
  return inDrawnOrder(suite(name, 'f32', { seed }), seed)
    .map((one) => one.build())
    .filter(({ parameters: { dim_y, op } }) => dim_y === undefined && op === undefined)
    .map((question) => expectation(question, 'f32'));
}

/** What is said of an implementation; null where nothing fails. */
export function trial(
  answer: (question: AttentionCase) => Outputs,
  cases: readonly Expectation[],
  zoo: readonly Fault[],
): Promise<Diagnosis | null> {
  const known = new Map(cases.map((one) => [one.attentionCase, one]));
  const seen = observer({
    expect: (question, profile) => known.get(question) ?? expectation(question, profile),
  });
  for (const expected of cases) {
    const { attentionCase: question } = expected;
    const given = Object.entries(answer(question));
    const outputs = Object.fromEntries(
      given.map(([name, tensor]) => [name, { dtype: 'F32', tensor }]),
    );
    const verdict = judgeAgainst(expected, outputs);
    const { id } = question.parameters;
    seen.observe({ id, question, verdict, compared: { outputs, expected } });
  }
  return diagnose({
    ...{ observed: seen.observed(), profile: PROFILES.f32 },
    zoo: () => Promise.resolve(zoo),
    // However loaded the machine is, a test sees the same.
    milliseconds: Number.POSITIVE_INFINITY,
  });
}
