/**
 * `--functionals`: a verdict on errors that lie within their bounds but lean one way together.
 * @module
 */
import {
  fits,
  IMPROBABLE,
  prepare,
  SUSPICIOUS,
  sentenceOf,
  standings,
} from '../properties/functionals/functionals.ts';
import { type ProfileLike, profileFrom } from '../reference/bounds/lemmas/profile-options.ts';
import type { AttentionCase } from '../reference/case/case.ts';
import type { GivenOutputs } from '../reference/case/given.ts';
import type { Verdict } from '../reference/verdict/judge.ts';

/** The verdict, and where it passes and the case is one for functionals, theirs. spec/bounds.md §11 */
export function withFunctionals(
  verdict: Verdict,
  question: AttentionCase,
  asked: ProfileLike,
  outputs: GivenOutputs,
): Verdict {
  const profile = profileFrom(asked);
  if (verdict.verdict !== 'pass' || !fits(question, profile)) return verdict;
  const [furthest] = standings(prepare(question, profile), outputs);
  if (furthest === undefined || Math.abs(furthest.z) <= SUSPICIOUS) return verdict;
  const sentence = sentenceOf(furthest);
  if (Math.abs(furthest.z) <= IMPROBABLE) {
    return { ...verdict, reason: `${verdict.reason}; a warning: ${sentence}` };
  }
  const reason = `within the bounds, but ${sentence}, above ${IMPROBABLE} at profile ${profile.name}`;
  return { ...verdict, verdict: 'improbable', reason };
}
