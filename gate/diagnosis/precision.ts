/**
 * Precision: where no fault fits, the wrong answers may be those of a less precise program than the
 * candidate says it is. Each coarser profile is asked whether it allows all of them.
 * @module
 */
import { PROFILE_NAMES, type ProfileName } from '../../reference/bounds/lemmas/profile.ts';
import {
  PROFILE_WORDS,
  type ProfileLike,
  type ProfileText,
  profileFrom,
} from '../../reference/bounds/lemmas/profile-options.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { tensorOf } from '../../reference/numbers/tensor.ts';
import { expectation } from '../../reference/verdict/expectation.ts';
import { judgeAgainst } from '../../reference/verdict/judge.ts';
import type { Evidence, KeptAnswer } from './kept-answers.ts';

/** Failing cases that a profile must allow, the cheapest first. */
const CASES = 16;
/** A bound costs so many times what a host's answer does; and what all of them may cost. */
const BOUND = 4;
const WORK = 3e6;

/** The declared base with one option, then the coarser bases. */
function coarser(base: ProfileName): ProfileText[] {
  const words = PROFILE_WORDS.map((word): ProfileText => `${base}+${word}`);
  return [...words, ...PROFILE_NAMES.slice(PROFILE_NAMES.indexOf(base) + 1)];
}

const givenBy = ({ outputs }: KeptAnswer): GivenOutputs =>
  Object.fromEntries(
    outputs.map(({ name, got, shape, stored }) => [
      name,
      { dtype: stored, tensor: tensorOf<number>(got, shape) },
    ]),
  );

const allows = (profile: ProfileLike, answer: KeptAnswer): boolean =>
  judgeAgainst(expectation(answer.question, profile), givenBy(answer)).verdict === 'pass';

/** The first coarser profile that allows all wrong answers that were looked at; null = none. */
export function fittingProfile({ wrong, profile }: Evidence): string | null {
  let left = WORK;
  const cases = wrong.slice(0, CASES).filter(({ work }) => {
    left -= BOUND * work;
    return left >= 0;
  });
  if (cases.length === 0) return null;
  const granted = new Set(profile.name.split('+'));
  const found = coarser(profile.base)
    .filter((text) => !granted.has(text.slice(text.indexOf('+') + 1)))
    .find((text) => cases.every((answer) => allows(profileFrom(text), answer)));
  return found ?? null;
}
