/**
 * Roundings: an implementation that rounds a step too coarsely makes other errors than another that does the
 * same, for it sums in another order; but they are of one size, in every output. Where no fault gives the
 * candidate's very numbers, those that round are held against it by the size of their errors.
 * @module
 */
import type { OutputName } from '../../reference/case/case.ts';
import { nth } from '../../reference/numbers/nth.ts';
import { toFlat } from '../../reference/numbers/tensor.ts';
import { talliesOf } from './agreement.ts';
import type { Fit } from './diagnosis.ts';
import { answerOf, type Hypothesis, onlyRounds } from './hypotheses.ts';
import type { Evidence, KeptAnswer, KeptOutput } from './kept-answers.ts';
import { type Budget, eachOnce, shareExplained, spend, within } from './trials.ts';

/** Failing cases whose errors are looked at, the cheapest first. */
const CASES = 12;

/** Errors of an output in units of how far it may be off, and how they go with what is right. */
interface Errors {
  readonly squares: number;
  /** Σ error · expected and Σ expected², in the same units. */
  readonly along: number;
  readonly expected: number;
  readonly count: number;
  /** The largest. */
  readonly worst: number;
}

const NONE: Errors = { squares: 0, along: 0, expected: 0, count: 0, worst: 0 };

const plus = (a: Errors, b: Errors): Errors => ({
  squares: a.squares + b.squares,
  along: a.along + b.along,
  expected: a.expected + b.expected,
  count: a.count + b.count,
  worst: Math.max(a.worst, b.worst),
});

/** Null: some element is not finite that should be, which no rounding does. */
function errorsOf(output: KeptOutput, values: ArrayLike<number>): Errors | null {
  let [squares, along, expected, count, worst] = [0, 0, 0, 0, 0];
  for (let n = 0; n < output.expected.length; n++) {
    const [right, bound] = [nth(output.expected, n), nth(output.allows, n)];
    if (!Number.isFinite(right) || !Number.isFinite(bound) || bound === 0) continue;
    const error = ((values[n] ?? Number.NaN) - right) / bound;
    if (!Number.isFinite(error)) return null;
    squares += error * error;
    along += (error * right) / bound;
    expected += (right / bound) ** 2;
    count++;
    worst = Math.max(worst, Math.abs(error));
  }
  return { squares, along, expected, count, worst };
}

/** Root of the mean square. */
const sizeOf = ({ squares, count }: Errors): number => Math.sqrt(squares / Math.max(1, count));

/** The part of the errors that is a common factor of what is right, in the same units. */
const gainOf = ({ along, expected, count }: Errors): number =>
  expected === 0 ? 0 : along / Math.sqrt(expected * Math.max(1, count));

/** Half of what lies between bfloat16 and the next finer format, three digits: nearer than another's. */
const ALIKE = 2 ** 1.5;

/** One output's errors by the candidate and by a fault are of one kind; within the bounds they all are. */
function alike(mine: Errors, its: Errors, within = ALIKE): boolean {
  if (mine.worst <= 1 && its.worst <= 1) return true;
  const [a, b] = [sizeOf(mine), sizeOf(its)];
  // Roundings go up and down; what is one factor throughout is none.
  const gain = Math.abs(gainOf(mine) - gainOf(its));
  const systematic = gain > (within / ALIKE) * (Math.max(a, b) / 2);
  return Math.max(a, b) <= within * Math.min(a, b) && !systematic;
}

/** How far a fault's errors have been like the candidate's, in the cases so far. */
interface Likeness {
  readonly one: Hypothesis;
  readonly pooled: Map<OutputName, { mine: Errors; its: Errors }>;
  /** Shares of what is wrong that it gives: roundings that fall the same way. */
  given: number;
  /** Σ |log₂| of how the sizes stand to one another, over cases and outputs. */
  apart: number;
}

/** Hold a fault against one more case; false where some error is not finite, or a size is hopelessly another. */
function lookedAt(
  likeness: Likeness,
  answer: KeptAnswer,
  base: Evidence['profile']['base'],
): boolean {
  const outputs = answerOf(likeness.one, base, answer);
  if (outputs === null) return false;
  likeness.given += shareExplained(talliesOf(answer, { outputs }));
  for (const output of answer.outputs) {
    const tensor = outputs[output.name];
    const its = tensor === undefined ? null : errorsOf(output, toFlat(tensor));
    const mine = errorsOf(output, output.got);
    if (its === null || mine === null) return false;
    const before = likeness.pooled.get(output.name) ?? { mine: NONE, its: NONE };
    const both = { mine: plus(before.mine, mine), its: plus(before.its, its) };
    likeness.pooled.set(output.name, both);
    if (mine.worst <= 1 && its.worst <= 1) continue;
    likeness.apart += Math.abs(Math.log2(sizeOf(mine) / sizeOf(its)));
    // Of few errors the sizes may differ by chance.
    if (!alike(both.mine, both.its, ALIKE ** 2)) return false;
  }
  return true;
}

const isLike = ({ pooled }: Likeness): boolean => {
  const all = [...pooled.values()];
  return all.some(({ its }) => its.worst > 1) && all.every(({ mine, its }) => alike(mine, its));
};

/** Fits named at most. */
const NAMED = 4;

/** Faults whose errors are of the size of the candidate's in every output, those that fall the same way first. */
export function roundingLike(
  { wrong, profile }: Evidence,
  all: readonly Hypothesis[],
  budget: Budget,
  most: number,
): Fit[] {
  let left = all
    .filter((one) => one.spread !== 'ranks' && onlyRounds(one))
    .map((one): Likeness => ({ one, pooled: new Map(), given: 0, apart: 0 }));
  const cases = within(budget, most, (part) => {
    const tried = wrong.slice(0, CASES).findIndex((answer) => {
      if (left.length === 0 || !spend(part, left.length * answer.work)) return true;
      left = left.filter((likeness) => lookedAt(likeness, answer, profile.base));
      return false;
    });
    return tried < 0 ? Math.min(CASES, wrong.length) : tried;
  });
  const found = left.filter(isLike).sort((a, b) => b.given - a.given || a.apart - b.apart);
  return eachOnce(found)
    .slice(0, NAMED)
    .map(({ one }) => ({
      faults: one.faults.map(({ name }) => name),
      wrong: one.faults.map(({ wrong: said }) => said),
      failing: { cases, of: cases },
      passing: { cases: 0, of: 0 },
      ...(one.spread === 'whole' ? { ranks: 'one' as const } : {}),
    }));
}
