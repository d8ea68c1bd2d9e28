/**
 * Trials: hypotheses answer cases and are held against the candidate's answers, each once, within a budget.
 * @module
 */
import type { ProfileName } from '../../reference/bounds/lemmas/profile.ts';
import type { OutputName } from '../../reference/case/case.ts';
import { type Answered, agrees, type Tally, talliesOf } from './agreement.ts';
import type { Cut } from './cuts.ts';
import { answerOf, type Hypothesis, SPREADS, spreadIn } from './hypotheses.ts';
import type { KeptAnswer } from './kept-answers.ts';

/**
 * Operations, as workOf counts them, that may be spent, so that one run gives one diagnosis; and processor
 * time after which nothing more is tried, however slow the machine.
 */
export interface Budget {
  left: number;
  /** Milliseconds of the process. */
  readonly until: number;
  /** The time was over before the operations were. */
  late: boolean;
}

/** Processor time of this process, in milliseconds. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

export const budgetOf = (work: number, milliseconds: number): Budget => ({
  left: work,
  until: processorTime() + milliseconds,
  late: false,
});

/** Whether so much may be spent; it then is. */
export function spend(budget: Budget, work: number): boolean {
  if (processorTime() > budget.until) budget.late = true;
  if (budget.late || work > budget.left) return false;
  budget.left -= work;
  return true;
}

/** What uses a part of a budget: what it spends is spent of the whole. */
export function within<T>(budget: Budget, work: number, use: (part: Budget) => T): T {
  const part: Budget = { ...budget, left: Math.min(budget.left, work) };
  const before = part.left;
  const found = use(part);
  budget.left -= before - part.left;
  budget.late ||= part.late;
  return found;
}

/** How a hypothesis stands to one case. */
export type CaseTally = ReadonlyMap<OutputName, Tally>;

/** It gives all that the candidate gave, and is refused as the candidate is. */
export const explainsAll = (tally: CaseTally): boolean => {
  const all = [...tally.values()];
  return all.every(agrees) && all.some(({ refused }) => refused);
};

/** Nothing that is right is otherwise by it. */
export const contradictsNothing = (tally: CaseTally): boolean =>
  [...tally.values()].every(({ contradicted }) => contradicted === 0);

/** Shares of the wrong outputs that it gives, each output counted the same, of 1. */
export function shareExplained(tally: CaseTally): number {
  const wrong = [...tally.values()].filter((one) => one.wrong > 0);
  const shares = wrong.map((one) => one.explained / one.wrong);
  return shares.length === 0 ? 0 : shares.reduce((a, b) => a + b, 0) / shares.length;
}

/** Null: the budget is spent. */
export type Ask = (one: Hypothesis, answer: Cut, budget: Budget) => CaseTally | null;

const nameOf = ({ faults }: Hypothesis): string => faults.map(({ name }) => name).join('+');

/** Of those with the same faults the first. */
export function eachOnce<T extends { readonly one: Hypothesis }>(found: readonly T[]): T[] {
  const known = new Set<string>();
  return found.filter(({ one }) => known.size < known.add(nameOf(one)).size);
}

/** Of hypotheses that change as much as one another, those in tiles first, then by name. */
export const simplestFirst = (a: Hypothesis, b: Hypothesis): number =>
  a.size - b.size ||
  SPREADS.indexOf(a.spread) - SPREADS.indexOf(b.spread) ||
  (nameOf(a) < nameOf(b) ? -1 : 1);

/** Asks in the precision of a profile, each hypothesis each case once. */
export function asker(base: ProfileName): Ask {
  const known = new Map<string, CaseTally>();
  return (one, answer, budget) => {
    const { question, work, id } = answer;
    const key = `${nameOf(one)}|${spreadIn(one.spread, question)}|${id}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    if (!spend(budget, work)) return null;
    const outputs = answerOf(one, base, answer);
    const unwritten = one.faults.flatMap((fault) => fault.unwritten ?? []);
    const answered: Answered | null = outputs === null ? null : { outputs, unwritten };
    let found = talliesOf(answer, answered);
    // Where some is its and some is not, its rounding errors may be large: in float64 they are other ones,
    // and what the two differ in is not held against it.
    const some = [...found.values()].some((tally) => tally.explained > 0);
    const someNot = ![...found.values()].every(agrees);
    if (answered !== null && base !== 'f64' && some && someNot && spend(budget, work)) {
      found = talliesOf(answer, { ...answered, finer: answerOf(one, 'f64', answer) });
    }
    known.set(key, found);
    return found;
  };
}

/** Operations that asking all these a case costs: those that it cannot tell apart are asked once. */
export function costOf(all: readonly Hypothesis[], { question, work }: KeptAnswer): number {
  const keys = all.map((one) => `${nameOf(one)}|${spreadIn(one.spread, question)}`);
  return new Set(keys).size * work;
}

/** A hypothesis and how it stands to the cases that it was held against. */
export interface Standing {
  readonly one: Hypothesis;
  readonly tallies: readonly CaseTally[];
}

const wholes = ({ tallies }: Standing): number => tallies.filter(explainsAll).length;
const shares = ({ tallies }: Standing): number =>
  tallies.reduce((sum, tally) => sum + shareExplained(tally), 0);

/** What explains the most first; of equals what contradicts the least, and what changes the least. */
export function byExplained(a: Standing, b: Standing): number {
  const against = ({ tallies }: Standing): number =>
    tallies.filter((tally) => !contradictsNothing(tally)).length;
  return (
    wholes(b) - wholes(a) ||
    shares(b) - shares(a) ||
    against(a) - against(b) ||
    simplestFirst(a.one, b.one)
  );
}

type Growing = Standing & { readonly tallies: CaseTally[] };

/** So many are held against all cases, and all that explain as much as the first. */
const KEPT = 6;

/**
 * Those that explain the most of the cases, the cheapest first, as far as the budget goes: at the first, second,
 * fourth, eighth case and so on the worse half of those left goes.
 */
export function race(
  from: readonly Hypothesis[],
  cases: readonly KeptAnswer[],
  [ask, budget]: readonly [Ask, Budget],
): Standing[] {
  let standings: Growing[] = from.map((one) => ({ one, tallies: [] }));
  for (const [n, answer] of cases.entries()) {
    const found = standings.map(({ one }) => ask(one, answer, budget));
    const unasked = found.indexOf(null);
    // Where not all can be asked even the first case, the first of them are.
    if (unasked === 0 || (unasked > 0 && n > 0)) break;
    if (unasked > 0) standings = standings.slice(0, unasked);
    for (const [m, one] of standings.entries()) one.tallies.push(found[m] ?? new Map());
    if (Number.isInteger(Math.log2(n + 1))) standings = betterHalf(standings);
  }
  return standings.sort(byExplained);
}

function betterHalf(standings: readonly Growing[]): Growing[] {
  const ranked = [...standings].sort(byExplained);
  const [best] = ranked;
  const least = Math.max(KEPT, Math.ceil(ranked.length / 2));
  return ranked.filter(
    (one, n) => n < least || (best && wholes(one) === wholes(best) && shares(one) === shares(best)),
  );
}
