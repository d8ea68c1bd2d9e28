/**
 * By behaviour: the faults of the zoo answer the cheapest failing cases, rank by rank and all at once, and those
 * that explain the most of what is wrong there are held against all other cases.
 *
 * A fault fits where it agrees on every case that was tried, failing and passing, and is itself refused on
 * every failing one. One that agrees in all that is wrong first, or on nearly all cases, is named with what
 * it does not explain. Work is counted in operations, and time is bounded.
 * @module
 */
import { type Fault, profileOf } from '../../properties/zoo/fault.ts';
import { profileFrom } from '../../reference/bounds/lemmas/profile-options.ts';
import type { OutputName } from '../../reference/case/case.ts';
import { UPSTREAM_FIRST } from '../fuzz/kind.ts';
import { agrees } from './agreement.ts';
import { type Cut, cutTo, rightCuts, wrongOutputs } from './cuts.ts';
import type { Behaviour, Fit } from './diagnosis.ts';
import { alone, type Hypothesis, onlyRounds, SPREADS } from './hypotheses.ts';
import type { Evidence, KeptAnswer } from './kept-answers.ts';
import { pairsFor } from './pairs.ts';
import { fittingProfile } from './precision.ts';
import { roundingLike } from './rounding.ts';
import { behaviourSentence } from './sentences.ts';
import {
  type Ask,
  asker,
  type Budget,
  budgetOf,
  byExplained,
  type CaseTally,
  contradictsNothing,
  costOf,
  eachOnce,
  explainsAll,
  race,
  type Standing,
  shareExplained,
  simplestFirst,
  within,
} from './trials.ts';

/** Operations, as workOf counts them, for all that is tried: some seconds; and processor time at most. */
const WORK = 12e6;
const MILLISECONDS = 4000;
/**
 * Operations of it for all faults on the first failing cases, for those that explain one of them on all cases,
 * for those that explain some of it, for the sizes of rounding errors, and to find pairs.
 */
const SCREENING = 5e6;
/** Of which one case may cost so many, all faults together. */
const EACH = 15e5;
const LIKELY = 4e6;
const CONFIRMING = 2e6;
const ROUNDING = 1.5e6;
const PAIRS = 2e6;

/** Failing cases on which all faults are tried, until one explains all of it. */
const SCREENED = 3;
/** Faults that explain some of a case and are held against others: the first so many. */
const RACING = 24;

interface Screened {
  readonly left: readonly Hypothesis[];
  /** Those of them that explain all that was looked at of a case. */
  readonly whole: readonly Hypothesis[];
  /** Cases on which all were tried, or on the part that shows what is wrong first. */
  readonly cases: number;
}

/** Those that explain some of it, what explains the most first. */
function leading(found: readonly Standing[]): Hypothesis[] {
  const some = found.filter(({ tallies }) => tallies.some((tally) => shareExplained(tally) > 0));
  return some
    .sort(byExplained)
    .filter(({ tallies }, n) => n < RACING || tallies.some(explainsAll))
    .map(({ one }) => one);
}

/** All faults, spread by spread, held against one case until one explains all of it; null = too much work. */
function heldAgainst(
  all: readonly Hypothesis[],
  answer: Cut,
  [ask, budget]: readonly [Ask, Budget],
): Standing[] | null {
  const found: Standing[] = [];
  for (const spread of SPREADS) {
    const own = all.filter((one) => one.spread === spread);
    if (costOf(own, answer) > budget.left) return found.length === 0 ? null : found;
    for (const one of own) {
      const tally = ask(one, answer, budget);
      if (tally !== null) found.push({ one, tallies: [tally] });
    }
    if (found.some(({ tallies }) => tallies.every(explainsAll))) break;
  }
  return found;
}

/** Those that leave as they are the rows that are right, where that is cheaper to tell. */
function sparing(
  all: readonly Hypothesis[],
  answer: KeptAnswer,
  [ask, budget]: readonly [Ask, Budget],
): readonly Hypothesis[] {
  const [spread] = SPREADS;
  let tried = all.filter((one) => one.spread === spread);
  for (const right of rightCuts(answer)) {
    if (costOf(tried, right) > budget.left / 4) continue;
    tried = tried.filter((one) => {
      const tally = ask(one, right, budget);
      return tally === null || contradictsNothing(tally);
    });
  }
  const left = new Set(tried.flatMap(({ faults }) => faults));
  return all.filter(({ faults }) => faults.every((fault) => left.has(fault)));
}

/** All faults held against the first failing cases, until one explains one of them. */
function screened(
  all: readonly Hypothesis[],
  evidence: Evidence,
  [ask, budget]: readonly [Ask, Budget],
): Screened {
  const [left, whole] = [new Set<Hypothesis>(), new Set<Hypothesis>()];
  let cases = 0;
  for (const answer of evidence.wrong) {
    const [first] = wrongOutputs(answer);
    if (first === undefined) continue;
    const most = (EACH * SPREADS.length) / all.length;
    const part = cutTo(answer, first, most);
    const able = part.work <= most ? all : sparing(all, answer, [ask, budget]);
    const found = heldAgainst(able, part, [ask, budget]);
    if (!found) continue;
    cases++;
    for (const one of leading(found)) left.add(one);
    for (const { one, tallies } of found) if (tallies.every(explainsAll)) whole.add(one);
    if (cases === SCREENED || whole.size > 0) break;
  }
  return { left: withSpreads([...left], all), whole: [...whole], cases };
}

/** The same faults in their other spreads, after them: a case may not tell spreads apart that others do. */
function withSpreads(left: readonly Hypothesis[], all: readonly Hypothesis[]): Hypothesis[] {
  const faults = new Set(left.slice(0, RACING).flatMap((one) => one.faults));
  const others = all.filter((one) => one.faults.every((fault) => faults.has(fault)));
  return [...new Set([...left, ...others])];
}

/** A hypothesis held against failing and passing cases. */
interface Held {
  readonly one: Hypothesis;
  readonly failing: readonly CaseTally[];
  readonly passing: readonly CaseTally[];
}

/** Where none explains every failing case, so many are held against passing cases. */
const HELD = 6;

/** What explains the most of the failing cases, held against the passing ones too. */
function confirmed(
  from: readonly Hypothesis[],
  { wrong, passing }: Evidence,
  [ask, budget]: readonly [Ask, Budget],
): Held[] {
  const raced = within(budget, budget.left / 2, (half) => race(from, wrong, [ask, half]));
  const whole = raced.filter(({ tallies }) => tallies.every(explainsAll));
  const best = whole.length > 0 ? whole : raced.slice(0, HELD);
  const left = best.map(({ one, tallies }) => ({ one, failing: tallies }));
  const held = left.map((one) => ({ ...one, passing: [] as CaseTally[] }));
  for (const answer of passing) {
    const found = held.map(({ one }) => ask(one, answer, budget));
    if (found.includes(null)) break;
    for (const [n, tally] of found.entries()) if (tally) held[n]?.passing.push(tally);
  }
  return held;
}

const isWhole = ({ failing, passing }: Held): boolean =>
  failing.length > 0 && failing.every(explainsAll) && passing.every(contradictsNothing);

interface Parted {
  /** Outputs that are wrong in some case and as it gives them in every one. */
  readonly like: readonly OutputName[];
  /** Outputs that are not as it gives them in some case. */
  readonly unlike: readonly OutputName[];
}

/** The outputs in which it agrees, if what is wrong first is among them in each failing case; else null. */
function partedBy({ failing, passing }: Held): Parted | null {
  const of = (name: OutputName) =>
    [...failing, ...passing].flatMap((tally) => tally.get(name) ?? []);
  const unlike = UPSTREAM_FIRST.filter((name) => !of(name).every(agrees));
  const wrong = UPSTREAM_FIRST.filter((name) => of(name).some((one) => one.wrong > 0));
  const like = wrong.filter((name) => !unlike.includes(name));
  const first = (tally: CaseTally) =>
    UPSTREAM_FIRST.find((name) => (tally.get(name)?.wrong ?? 0) > 0);
  const begins = failing.every((tally) => like.some((name) => name === first(tally)));
  return failing.length > 0 && begins ? { like, unlike } : null;
}

/** Two faults at once are found by one case: so many others, where there are, have to bear it out. */
const BORNE_OUT = 3;

const isBorneOut = ({ failing, passing }: Held, evidence: Evidence): boolean =>
  failing.length >= Math.min(1 + BORNE_OUT, evidence.wrong.length) &&
  passing.length >= Math.min(BORNE_OUT, evidence.passing.length);

/** Of so many cases it has to agree with nine in ten, to be named with what it does not explain. */
const NEARLY = 9 / 10;

const explained = ({ failing }: Held): number => failing.filter(explainsAll).length;
const spared = ({ passing }: Held): number => passing.filter(contradictsNothing).length;

const isNearly = (held: Held): boolean =>
  held.failing.length > 0 &&
  explained(held) >= NEARLY * held.failing.length &&
  spared(held) >= NEARLY * held.passing.length;

/** Fits named at most; those after them cannot be told from them either. */
const NAMED = 8;

/** The same faults once, in tiles where they fit so. */
function fitsOf(found: readonly Held[], parted?: (held: Held) => Parted | null): Fit[] {
  const ranked = [...found].sort((a, b) => simplestFirst(a.one, b.one));
  return eachOnce(ranked)
    .slice(0, NAMED)
    .map((held): Fit => {
      const parts = parted?.(held);
      const all = { failing: held.failing.length, passing: held.passing.length };
      const alike = parts ? all : { failing: explained(held), passing: spared(held) };
      return {
        faults: held.one.faults.map(({ name }) => name),
        wrong: held.one.faults.map(({ wrong }) => wrong),
        failing: { cases: alike.failing, of: all.failing },
        passing: { cases: alike.passing, of: all.passing },
        ...(parts ? { outputs: parts.like, unlike: parts.unlike } : {}),
        ...(held.one.spread === 'whole' ? { ranks: 'one' as const } : {}),
      };
    });
}

/** Those that agree in the most outputs, from the first wrong one on. */
function fitsInOutputs(held: readonly Held[]): Fit[] {
  const parted = held.flatMap((one) => partedBy(one) ?? []);
  const fewest = Math.min(...parted.map(({ unlike }) => unlike.length));
  return fitsOf(
    held.filter((one) => partedBy(one)?.unlike.length === fewest),
    partedBy,
  );
}

/** Those that agree in nearly all cases, and in the most of them. */
function fitsNearly(held: readonly Held[]): Fit[] {
  const near = held.filter(isNearly);
  const most = Math.max(0, ...near.map(explained));
  return fitsOf(near.filter((one) => explained(one) === most));
}

type Said = Omit<Behaviour, 'sentence'>;

/** Where no fault explains all alone. */
function otherwise(
  evidence: Evidence,
  { all, held }: { readonly all: readonly Hypothesis[]; readonly held: readonly Held[] },
  [ask, budget]: readonly [Ask, Budget],
): Said {
  const tried = new Set(all.flatMap(({ faults }) => faults)).size;
  const inOutputs = fitsInOutputs(held);
  const rounding = inOutputs.length > 0 ? [] : roundingLike(evidence, all, budget, ROUNDING);
  const leaders = held.map(({ one, failing }) => ({ one, tallies: failing }));
  const pairs =
    rounding.length > 0
      ? []
      : within(budget, PAIRS, (part) => pairsFor(evidence, { leaders, all }, [ask, part]));
  const confirming = pairs.length === 0 ? [] : confirmed(pairs, evidence, [ask, budget]);
  const double = confirming.filter((one) => isBorneOut(one, evidence));
  const whole = fitsOf(double.filter(isWhole));
  if (whole.length > 0) return { kind: 'pair', fits: whole, tried };
  if (inOutputs.length > 0) return { kind: 'fault', fits: inOutputs, tried };
  const profile = fittingProfile(evidence) ?? undefined;
  const about = profile === undefined ? {} : { profile };
  if (rounding.length > 0) return { kind: 'rounding', fits: rounding, ...about, tried };
  if (profile !== undefined) return { kind: 'precision', fits: [], profile, tried };
  const nearly = fitsNearly(held);
  if (nearly.length > 0) return { kind: 'fault', fits: nearly, tried };
  const twice = fitsNearly(double);
  return { kind: twice.length > 0 ? 'pair' : 'none', fits: twice, tried };
}

/** What the candidate behaves like, of what is known. */
export function behaviourOf(
  evidence: Evidence,
  zoo: readonly Fault[],
  milliseconds = MILLISECONDS,
): Behaviour {
  const budget = budgetOf(WORK, milliseconds);
  const said = (behaviour: Said): Behaviour => {
    const about = budget.late ? { ...behaviour, stopped: true as const } : behaviour;
    return { ...about, sentence: behaviourSentence(about, evidence.wrong.length) };
  };
  const ask = asker(evidence.profile.base);
  // What only rounds otherwise than another profile does has a fault of its own in each.
  const own = zoo.filter(
    (fault) =>
      profileFrom(profileOf(fault)).base === evidence.profile.base ||
      !onlyRounds({ faults: [fault] }),
  );
  // What is right when asked alone is made by what is kept.
  const kept = evidence.wrong.some(({ before }) => before !== undefined);
  const all = SPREADS.flatMap((spread) =>
    own.filter(({ remembers }) => !kept || remembers).map((fault) => alone(fault, spread)),
  );
  const screen = within(budget, SCREENING, (part) => screened(all, evidence, [ask, part]));
  if (screen.cases === 0) return said({ kind: 'untried', fits: [], tried: 0 });
  const likely = within(budget, LIKELY, (part) => confirmed(screen.whole, evidence, [ask, part]));
  const allHeld = (): Held[] =>
    within(budget, CONFIRMING, (part) => confirmed(screen.left, evidence, [ask, part]));
  const held = likely.some(isWhole) ? likely : allHeld();
  const whole = fitsOf(held.filter(isWhole));
  if (whole.length > 0) return said({ kind: 'fault', fits: whole, tried: zoo.length });
  return said(otherwise(evidence, { all, held }, [ask, budget]));
}
