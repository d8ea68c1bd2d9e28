/**
 * By behaviour: the faults of the zoo answer the failing cases, the cheapest first, and each that does
 * not answer as the candidate does is dropped at once. What is left is held against all other cases.
 *
 * A fault fits only where it agrees on every case that was tried, failing and passing, and is itself
 * refused on every failing one. Work is counted in operations, never in time: one run, one diagnosis.
 * @module
 */
import type { Fault } from '../../properties/zoo/fault.ts';
import type { ProfileName } from '../../reference/bounds/lemmas/profile.ts';
import { agreeingWrong, type Comparison, compare, isOff } from './agreement.ts';
import type { Behaviour, Fit } from './diagnosis.ts';
import { alone, answerOf, type Hypothesis, together } from './hypotheses.ts';
import type { Evidence, KeptAnswer } from './kept-answers.ts';
import { fittingProfile } from './precision.ts';
import { behaviourSentence } from './sentences.ts';

/** Operations, as workOf counts them, for all that is tried: some seconds. */
const WORK = 9e6;
/** Shares of it: until faults are left that fit the failing cases, and for pairs of them. */
const SCREENING = 0.5;
const PAIRS = 0.7;

interface Budget {
  left: number;
}

/** A part of a budget, taken out of it. */
function part(budget: Budget, share: number): Budget {
  const own = { left: Math.min(budget.left, WORK * share) };
  budget.left -= own.left;
  return own;
}

function spend(budget: Budget, work: number): boolean {
  if (work > budget.left) return false;
  budget.left -= work;
  return true;
}

/** How many cases were held against the hypotheses that are left. */
interface Tried {
  readonly left: readonly Hypothesis[];
  readonly cases: number;
}

/**
 * Where it does not agree as it is, its rounding errors may be large: then it is computed in float64 too,
 * and what the two differ in is not held against it.
 */
function comparison(
  one: Hypothesis,
  [base, times, closely]: readonly [ProfileName, 1 | 2, boolean],
  answer: KeptAnswer,
): Comparison {
  const outputs = answerOf(one, base, answer.question);
  if (outputs === null) return { agrees: false, refused: false };
  const found = compare(answer, { outputs }, times);
  if (found.agrees || !closely || base === 'f64') return found;
  return compare(answer, { outputs, finer: answerOf(one, 'f64', answer.question) }, times);
}

const fitsRoughly: FitsCase = (one, base, answer) => {
  const { agrees, refused } = comparison(one, [base, 1, false], answer);
  return agrees && refused;
};

const fitsWrong: FitsCase = (one, base, answer) => {
  const { agrees, refused } = comparison(one, [base, 1, true], answer);
  return agrees && refused;
};

/** Both lie within the bound of the right answer, so within two of one another. */
const fitsPassing: FitsCase = (one, base, answer) =>
  comparison(one, [base, 2, true], answer).agrees;

type FitsCase = (one: Hypothesis, base: ProfileName, answer: KeptAnswer) => boolean;

/** Those that fit every case that the budget allows to try. */
function sieve(
  from: readonly Hypothesis[],
  cases: readonly KeptAnswer[],
  [fits, base, budget]: [FitsCase, ProfileName, Budget],
): Tried {
  let left = from;
  let tried = 0;
  for (const answer of cases) {
    if (left.length === 0) break;
    if (!spend(budget, left.length * answer.work)) continue;
    left = left.filter((one) => fits(one, base, answer));
    tried++;
  }
  return { left, cases: tried };
}

/** Those that agree on all failing cases and then on all passing ones. */
function confirmed(
  from: readonly Hypothesis[],
  { wrong, passing, profile }: Evidence,
  budget: Budget,
) {
  const half = { left: budget.left / 2 };
  const base = profile.base;
  const failing = sieve(from, wrong, [fitsWrong, base, half]);
  const rest = { left: budget.left / 2 + half.left };
  const passed = sieve(failing.left, passing, [fitsPassing, base, rest]);
  budget.left = rest.left;
  return { left: passed.left, failing: failing.cases, passing: passed.cases };
}

/** The row of the first wrong element of an output that rows have, and of the case that is cut to it. */
function rowOf(answer: KeptAnswer): { row: number; cut: KeptAnswer } | null {
  const { wants, seq_q } = answer.question.parameters;
  const ofRows = ['out', 'lse', 'd_q'] as const;
  for (const name of ofRows) {
    const output = answer.outputs.find((one) => one.name === name);
    if (output === undefined) continue;
    const at = output.got.findIndex((value, n) => isOff(output, n, value));
    if (at < 0) continue;
    const width = output.shape[3] ?? 1;
    const row = Math.floor(at / width) % seq_q;
    const parameters = {
      ...answer.question.parameters,
      wants: wants.filter((one) => one === name),
    };
    const mask = output.decides.map((bound, n) =>
      Math.floor(n / width) % seq_q === row ? bound : Number.POSITIVE_INFINITY,
    );
    return {
      row,
      cut: {
        ...answer,
        question: { ...answer.question, parameters },
        outputs: [{ ...output, decides: mask }],
        work: answer.work / seq_q,
      },
    };
  }
  return null;
}

/** All faults held against the smallest failing case: all of it, or where that is too much one row. */
function screened(zoo: readonly Hypothesis[], { wrong, profile }: Evidence, budget: Budget): Tried {
  const [first] = wrong;
  if (first === undefined) return { left: [], cases: 0 };
  if (spend(budget, zoo.length * first.work)) {
    return { left: zoo.filter((one) => fitsRoughly(one, profile.base, first)), cases: 1 };
  }
  for (const answer of wrong) {
    const part = rowOf(answer);
    if (part === null || !spend(budget, zoo.length * part.cut.work)) continue;
    const left = zoo.filter((one) => {
      const outputs = answerOf(one, profile.base, part.cut.question, part.row);
      return outputs !== null && compare(part.cut, { outputs }, 1).agrees;
    });
    return { left, cases: 1 };
  }
  return { left: zoo, cases: 0 };
}

/** How many faults are paired with all others. */
const PAIRED = 6;

/** Failing cases that leaders are ranked by. */
const RANKING = 12;

/** Those that explain the most of the cheapest failing cases first. */
function byCases(
  from: readonly Hypothesis[],
  { wrong, profile }: Evidence,
  budget: Budget,
): Hypothesis[] {
  const scores = from.map((one) => ({ one, cases: 0 }));
  for (const answer of wrong.slice(1, RANKING)) {
    if (!spend(budget, from.length * answer.work)) break;
    for (const score of scores) score.cases += Number(fitsRoughly(score.one, profile.base, answer));
  }
  return scores.sort((a, b) => b.cases - a.cases).map(({ one }) => one);
}

/** Pairs worth trying on the first case that no fault fits alone, cheapest explanations first. */
function pairsFor(evidence: Evidence, zoo: readonly Hypothesis[], budget: Budget): Hypothesis[] {
  const base = evidence.profile.base;
  const firsts = sieve(zoo, evidence.wrong.slice(0, 1), [fitsWrong, base, budget]).left;
  // A fault that explains some cases wholly, with another that explains the first of the others;
  const stuck = evidence.wrong.find((answer, n) => {
    if (n === 0) return firsts.length === 0;
    return firsts.length > 0 && !firsts.some((one) => fitsWrong(one, base, answer));
  });
  if (stuck === undefined) return [];
  const answers = zoo
    .filter(() => spend(budget, stuck.work))
    .map((one) => ({ one, outputs: answerOf(one, base, stuck.question) }));
  const active = answers.flatMap(({ one, outputs }) => {
    if (outputs === null) return [];
    const explained = agreeingWrong(stuck, outputs).length;
    const { agrees, refused } = compare(stuck, { outputs }, 1);
    return agrees && !refused ? [] : [{ one, explained }];
  });
  // or, where none explains a whole case, one that explains most of its outputs with any other.
  const explaining = active.filter(({ explained }) => explained > 0);
  explaining.sort((a, b) => b.explained - a.explained);
  const leaders =
    firsts.length > 0 ? byCases(firsts, evidence, budget) : explaining.map(({ one }) => one);
  const others = [...active].sort((a, b) => b.explained - a.explained).map(({ one }) => one);
  return leaders.slice(0, PAIRED).flatMap((a) =>
    others.flatMap((b) => {
      const [first, second] = [a.faults[0], b.faults[0]];
      const pair = first && second && first !== second ? together(first, second) : null;
      if (pair === null || !spend(budget, stuck.work)) return [];
      return fitsWrong(pair, base, stuck) ? [pair] : [];
    }),
  );
}

/** Fits named at most; those after them cannot be told from them either. */
const NAMED = 8;

function fitsOf(found: ReturnType<typeof confirmed>): Fit[] {
  const share = (cases: number) => ({ cases, of: cases });
  const nameOf = ({ faults }: Hypothesis): string => faults.map(({ name }) => name).join(' ');
  const ranked = [...found.left].sort(
    (a, b) => a.size - b.size || (nameOf(a) < nameOf(b) ? -1 : 1),
  );
  return ranked.slice(0, NAMED).map(({ faults }) => ({
    faults: faults.map(({ name }) => name),
    wrong: faults.map(({ wrong }) => wrong),
    ...{ failing: share(found.failing), passing: share(found.passing) },
  }));
}

/** What the candidate behaves like, of what is known. */
export function behaviourOf(evidence: Evidence, zoo: readonly Fault[]): Behaviour {
  const { wrong } = evidence;
  const said = (behaviour: Omit<Behaviour, 'sentence'>): Behaviour => ({
    ...behaviour,
    sentence: behaviourSentence(behaviour, wrong.length),
  });
  const budget: Budget = { left: WORK };
  const singles = zoo.map(alone);
  const screen = screened(singles, evidence, part(budget, SCREENING));
  if (screen.cases === 0) return said({ kind: 'untried', fits: [], tried: 0 });
  const single = confirmed(screen.left, evidence, { left: WORK * (1 - SCREENING) });
  if (single.left.length > 0 && single.failing > 0) {
    return said({ kind: 'fault', fits: fitsOf(single), tried: zoo.length });
  }
  const profile = fittingProfile(evidence);
  if (profile !== null) return said({ kind: 'precision', fits: [], profile, tried: zoo.length });
  const pairs = pairsFor(evidence, singles, { left: WORK * PAIRS });
  const double = confirmed(pairs, evidence, { left: WORK * PAIRS });
  const tried = zoo.length;
  if (double.left.length > 0 && double.failing > 0) {
    return said({ kind: 'pair', fits: fitsOf(double), tried });
  }
  return said({ kind: 'none', fits: [], tried });
}
