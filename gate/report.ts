/**
 * Verdicts → report: a value that every printer prints, and the exit status it stands for.
 * @module
 */

import type { Profile } from '../reference/bounds/lemmas/profile.ts';
import type { Verdict } from '../reference/verdict/judge.ts';
import type { Diagnosis } from './diagnosis/diagnosis.ts';
import type { CaseResult } from './run-suite.ts';
import type { Shard } from './select.ts';

export interface Summary {
  pass: number;
  /** Impossible and improbable ones together. */
  fail: number;
  skip: number;
  broken: number;
}

/** A result, and the command that repeats it. */
export interface ReportedCase extends CaseResult {
  replay: string | null;
  /** Where it is not the report's. */
  profile?: Profile;
  /** Where its outputs lie while the report is made, where that is not where it is kept. */
  outputsIn?: string;
}

/** Cases of a hunt that were judged and are not told one by one. */
export type Unlisted = Pick<Summary, 'pass' | 'skip'>;

export interface Report {
  /** Of this package, which judged. */
  version: string;
  candidate: string;
  profile: Profile;
  /** What was asked, for the heading: suite, input format, direction, seed, shard. */
  asked: string;
  /** What numbers and order were drawn from, where they were. */
  seed?: number;
  /** Which part of a suite it is. */
  shard?: Shard;
  /** Words that were to be judged; default: none. */
  required?: readonly string[];
  summary: Summary;
  /** In the order of the suite. */
  cases: ReportedCase[];
  /** Judged too, counted in the summary, and not among the cases. */
  unlisted?: Unlisted;
  seconds: number;
  /** Why it does not speak of every case that was to be asked; absent = it does. */
  incomplete?: string;
  /** The candidate never said hello, so nobody knows what it claims. */
  silent?: boolean;
  /** What else is to be said of the whole. */
  note?: string;
  /** What the failures have in common, where that was looked into. */
  diagnosis?: Diagnosis;
  /** A run of the embedded candidate, drawn: only for the page. */
  timeline?: { readonly svg: string; readonly caption: string };
  /** By which the run was interrupted. */
  signal?: NodeJS.Signals;
}

const COUNTED: Record<Verdict['verdict'], keyof Summary> = {
  pass: 'pass',
  improbable: 'fail',
  impossible: 'fail',
  broken: 'broken',
  skip: 'skip',
};

export function summaryOf(cases: readonly CaseResult[]): Summary {
  const summary: Summary = { pass: 0, fail: 0, skip: 0, broken: 0 };
  for (const { verdict } of cases) summary[COUNTED[verdict.verdict]]++;
  return summary;
}

/** With cases that were judged too. */
export const plusUnlisted = (summary: Summary, unlisted: Unlisted): Summary => ({
  ...summary,
  pass: summary.pass + unlisted.pass,
  skip: summary.skip + unlisted.skip,
});

/** How many cases have a verdict that says something of the candidate. */
export const judgedCount = ({ pass, fail, broken }: Summary): number => pass + fail + broken;

/** How many verdicts speak of a sample of their case only. */
export const sampledCount = (cases: readonly CaseResult[]): number =>
  cases.filter(({ verdict }) => verdict.sample !== undefined).length;

/** Of the cases whose words the candidate all declares: how many there are, and what became of them. */
export interface Claimed {
  /** Their number. */
  cases: number;
  /** Answered, and the answer compared. */
  compared: number;
  declined: number;
}

const isCompared = ({ verdict: { verdict } }: CaseResult): boolean =>
  verdict === 'pass' || verdict === 'impossible' || verdict === 'improbable';

export function claimedOf(
  cases: readonly CaseResult[],
  unlisted: Unlisted = { pass: 0, skip: 0 },
): Claimed {
  const claimed = cases.filter(({ asked, verdict }) => asked || verdict.verdict !== 'skip');
  return {
    cases: claimed.length + unlisted.pass,
    compared: claimed.filter(isCompared).length + unlisted.pass,
    declined: claimed.filter(({ declined }) => declined).length,
  };
}

/** Words that were to be judged, of which no answer was compared. */
export function unjudgedWords({ required = [], cases }: Report): string[] {
  const seen = new Set(cases.filter(isCompared).flatMap(({ words }) => words));
  return required.filter((word) => !seen.has(word));
}

/** In how many asked cases each output was not judged because the candidate does not return it. */
export function notReturned(cases: readonly CaseResult[]): [output: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { asked, notReturned = [] } of cases) {
    for (const name of asked ? notReturned : []) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts];
}

/** On how many ranks the cases ran of which that is known. */
export interface DealtCounts {
  /** Cases by the ranks that they ran on. */
  readonly ranOn: Readonly<Record<number, number>>;
  /** Cases that are dealt out to several ranks. */
  readonly several: number;
  /** Of these: run on fewer ranks, since heads did not come out even over as many. */
  readonly fewer: number;
  /** Of these: run on one rank, where nothing is distributed. */
  readonly one: number;
  /** Of these, under USP: in groups of one rank, LV-XAttn's ring alone; null under others. */
  readonly ungrouped: number | null;
  /** Of all: dealt anew over ranks that the candidate has. */
  readonly anew: number;
}

/** Null where of no case it is known. */
export function dealtCounts(cases: readonly CaseResult[]): DealtCounts | null {
  const known = cases.flatMap(({ dealt }) => dealt ?? []);
  if (known.length === 0) return null;
  const ranOn: Record<number, number> = {};
  for (const { ran } of known) ranOn[ran] = (ranOn[ran] ?? 0) + 1;
  const anew = known.filter((one) => one.anew === true);
  const several = known.filter((one) => one.given > 1 && one.anew !== true);
  return {
    ...{ ranOn, several: several.length, anew: anew.length },
    fewer: several.filter(({ given, ran }) => ran < given).length,
    one: several.filter(({ ran }) => ran === 1).length,
    ungrouped: known.some(({ group }) => group !== undefined)
      ? several.filter(({ group }) => group === 1).length
      : null,
  };
}

export const isFailing = ({ verdict: { verdict } }: CaseResult): boolean =>
  verdict === 'impossible' || verdict === 'improbable' || verdict === 'broken';

/** 0 every verdict passes, 1 some verdict fails, 3 none fails but the candidate is broken. */
export function exitStatus({ fail, broken }: Summary): 0 | 1 | 3 {
  if (fail > 0) return 1;
  return broken > 0 ? 3 : 0;
}

/** How often each reason for skipping occurs, most frequent first. */
export function skipReasons(cases: readonly CaseResult[]): [reason: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { verdict } of cases) {
    if (verdict.verdict !== 'skip') continue;
    counts.set(verdict.reason, (counts.get(verdict.reason) ?? 0) + 1);
  }
  return [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
}
