/**
 * Peace, measured: how many honest candidates a profile refuses (none), and how tight its bounds are.
 *
 * The histogram counts judged elements by error over bound, in powers of ten. A bound that honest
 * work never comes near could be sharpened; one that it exceeds is wrong.
 * @module
 */
import fc from 'fast-check';
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import { type ProfileLike, profileFrom } from '../../reference/bounds/lemmas/profile-options.ts';
import type { AttentionCase } from '../../reference/case/case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { forEachIndex } from '../../reference/numbers/tensor.ts';
import { expectation } from '../../reference/verdict/expectation.ts';
import { isFailure, judgeAgainst } from '../../reference/verdict/judge.ts';
import { buildCase, type CaseOptions } from '../arbitraries/attention-case.ts';
import { buildMerge } from '../arbitraries/merge-case.ts';
import { honestArbitrary, honestOutputs } from './candidate.ts';
import { honestMerge, honestMergeArbitrary } from './parts.ts';

export interface Peace {
  readonly profile: string;
  readonly runs: number;
  /** The first refusal, shrunk, with what replays it; null when there was none. */
  readonly refused: string | null;
  readonly judged: number;
  /** Elements without a finite bound. */
  readonly unbounded: number;
  /** Largest finite error over bound that honest work reached (an overflow within its bound is 0). */
  readonly largest: number;
  /** Judged elements with error over bound of 0, ≤ 1e-4, ≤ 1e-3, ≤ 0.01, ≤ 0.1, ≤ 1. */
  readonly histogram: readonly number[];
}

const EDGES = [0, 1e-4, 1e-3, 1e-2, 0.1, 1] as const;

/** Counts of one answer, added to `counts`; returns the largest share. */
function addShares(
  expected: ReturnType<typeof expectation>,
  outputs: ReturnType<typeof honestOutputs>,
  counts: { histogram: number[]; unbounded: number },
): number {
  let largest = 0;
  for (const [name, values] of Object.entries(expected.values)) {
    const key = name as keyof typeof expected.values;
    const [bound, got] = [expected.worstCase.of(key, 2 ** -24), outputs[key]?.tensor];
    if (bound === undefined || got === undefined) continue;
    forEachIndex(values.shape, (at) => {
      const size = bound.get(...at);
      if (size === Number.POSITIVE_INFINITY) {
        counts.unbounded++;
        return;
      }
      const [value, answer] = [values.get(...at), got.get(...at)];
      const share = value === answer ? 0 : Math.abs(answer - value) / size;
      const slot = EDGES.findIndex((edge) => share <= edge);
      if (slot >= 0) counts.histogram[slot] = (counts.histogram[slot] ?? 0) + 1;
      if (Number.isFinite(share)) largest = Math.max(largest, share);
    });
  }
  return largest;
}

/** A question and what an honest candidate answers to it. */
interface Answered {
  readonly question: AttentionCase;
  readonly outputs: GivenOutputs;
}

/** `runs` draws of `drawn`, judged at a profile. */
function measured<T>(
  profile: Profile,
  { runs, seed }: { runs: number; seed: number },
  drawn: fc.Arbitrary<T>,
  answer: (one: T) => Answered,
): Peace {
  const counts = { histogram: EDGES.map(() => 0), unbounded: 0 };
  let largest = 0;
  const details = fc.check(
    fc.property(drawn, (one) => {
      const { question, outputs } = answer(one);
      const expected = expectation(question, profile);
      largest = Math.max(largest, addShares(expected, outputs, counts));
      const { verdict, reason } = judgeAgainst(expected, outputs);
      if (isFailure(verdict)) throw new Error(`${verdict}: ${reason}`);
    }),
    { numRuns: runs, seed },
  );
  const refused = details.failed
    ? `${String(details.errorInstance)} seed ${details.seed} path ${details.counterexamplePath}: ${JSON.stringify(details.counterexample)}`
    : null;
  const judged = counts.histogram.reduce((a, b) => a + b, 0);
  return { profile: profile.name, runs, refused, judged, largest, ...counts };
}

/** `runs` random honest candidates on as many random cases, judged at `profile`. */
export function measurePeace(
  asked: ProfileLike,
  { options = {}, ...how }: { runs: number; seed: number; options?: CaseOptions },
): Peace {
  const profile = profileFrom(asked);
  return measured(profile, how, honestArbitrary(profile, options), ({ recipe, choices }) => {
    const question = buildCase(recipe);
    return { question, outputs: honestOutputs(question, profile, choices) };
  });
}

/** The same of merges of given parts. */
export function measureMergePeace(asked: ProfileLike, how: { runs: number; seed: number }): Peace {
  const profile = profileFrom(asked);
  return measured(profile, how, honestMergeArbitrary(profile), ({ recipe, choices }) => {
    const question = buildMerge(recipe);
    return { question, outputs: honestMerge(question, profile, choices) };
  });
}

/** One JSON line of a measurement. */
export function peaceLine(peace: Peace): string {
  const histogram = Object.fromEntries(
    EDGES.map((edge, n) => [`≤${edge}`, peace.histogram[n] ?? 0]),
  );
  const share = peace.judged / (peace.judged + peace.unbounded);
  return JSON.stringify({ ...peace, share_judged: Number(share.toFixed(3)), histogram });
}
