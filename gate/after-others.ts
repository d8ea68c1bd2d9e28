/**
 * Failures that a candidate's memory makes: cases that fail in a run and pass when a fresh process is
 * asked them alone (a stale buffer, a cache keyed on too little, a pointer taken for what it pointed to).
 *
 * A failing case is asked again alone. If it passes, the questions before it are asked again with it,
 * and fewer and fewer of them while it still fails; the shortest sequence found is kept beside it.
 * @module
 */
import type { AttentionCase } from '../reference/case/case.ts';
import { isFailure } from '../reference/verdict/judge.ts';
import type { Candidate } from './candidate.ts';
import { posed } from './dealing.ts';
import { fileSentence } from './file-errors.ts';
import { keepBefore } from './keep.ts';
import { placesFor, questionFolders } from './question-folders.ts';
import { isFailing } from './report.ts';
import {
  type Asked,
  askOrSkip,
  type CaseResult,
  type Recall,
  type RunOptions,
  withTemporaryFolder,
} from './run-suite.ts';
import type { SuiteCase } from './suite.ts';

/** After so many in a row that fail alone too, a candidate is taken to be plainly wrong. */
const ALONE_IN_A_ROW = 5;
/** Questions asked again for one failing case, and for all of them, at most. */
const QUESTIONS_EACH = 400;
const QUESTIONS_ALL = 2000;
/** Each may ask so many more than all those before it at once, however many fail. */
const QUESTIONS_BESIDE = 20;
/** A reason names so many questions; all are kept. */
const NAMES_MAX = 8;

/** What was asked, in order, and at which place the verdict on a case was found. */
export interface History {
  readonly cases: readonly SuiteCase[];
  readonly turnOf: (id: string) => number;
}

/** Ask a fresh process these, one after another: does the last fail? Null: it was not asked to the end. */
export type FailsAfresh<T> = (sequence: readonly T[]) => Promise<boolean | null>;

/** What asking again has shown of a failing case. */
export type Found<T> =
  /** It fails alone too. */
  | { readonly kind: 'alone' }
  /** It fails after these; alone it passes. `spent`: fewer might do, but no more was asked. */
  | { readonly kind: 'after'; readonly before: readonly T[]; readonly spent: boolean }
  /** It passes alone, and after all the questions that were asked before it. */
  | { readonly kind: 'unsteady' }
  /** Enough was asked again before it was known; whether it was at least asked alone, and passed. */
  | { readonly kind: 'unasked'; readonly passesAlone: boolean };

/** Whether a sequence may still be tried: a budget of questions. */
type Spend = (questions: number) => boolean;

/** `sequence` without this or that part of it, ever smaller parts, while `fails` still holds. */
async function without<T>(
  sequence: readonly T[],
  fails: (before: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let kept = sequence;
  for (
    let part = Math.ceil(kept.length / 2);
    part >= 1;
    part = part === 1 ? 0 : Math.ceil(part / 2)
  ) {
    for (let at = 0; at < kept.length && kept.length > 1; ) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + part)];
      if (fewer.length > 0 && (await fails(fewer))) kept = fewer;
      else at += part;
    }
  }
  return kept;
}

/** The end of `before`, twice as long each time, after which `fails` first holds; null: none up to `most`. */
async function lastOf<T>(
  before: readonly T[],
  [least, most]: readonly [number, number],
  fails: (before: readonly T[]) => Promise<boolean>,
): Promise<readonly T[] | null> {
  for (let last = least; last <= most; last *= 2) {
    if (await fails(before.slice(-last))) return before.slice(-last);
  }
  return null;
}

/** What is asked again at most before all at once, as a part of all. */
const FEW = 8;

/** What a failing question needs in order to fail, of those that were asked `before` it. */
export async function failsAfter<T>(
  victim: T,
  before: readonly T[],
  ask: FailsAfresh<T>,
  spend: Spend = () => true,
): Promise<Found<T>> {
  let spent = false;
  const fails = async (sequence: readonly T[]): Promise<boolean> => {
    const failed = spend(sequence.length + 1) ? await ask([...sequence, victim]) : null;
    spent ||= failed === null;
    return failed === true;
  };
  if (await fails([])) return { kind: 'alone' };
  if (spent) return { kind: 'unasked', passesAlone: false };
  if (before.length === 0) return { kind: 'unsteady' };
  // Most memories are short: the last few cost little beside all of them.
  const few = Math.floor(before.length / FEW);
  let sequence = await lastOf(before, [1, few], fails);
  if (sequence === null) {
    const comesBack = await fails(before);
    if (!comesBack) return spent ? { kind: 'unasked', passesAlone: true } : { kind: 'unsteady' };
    const next = few === 0 ? 1 : 2 ** (Math.floor(Math.log2(few)) + 1);
    sequence = (await lastOf(before, [next, before.length - 1], fails)) ?? before;
  }
  return { kind: 'after', before: await without(sequence, fails), spent };
}

/** `one other (core/a)`, `30 others (core/a, core/b, …)`. */
function named(before: readonly SuiteCase[]): string {
  const names = before.slice(0, NAMES_MAX).map(({ id }) => id);
  if (before.length > NAMES_MAX) names.push('…');
  return `${before.length === 1 ? 'one other' : `${before.length} others`} (${names.join(', ')})`;
}

function said(found: Found<SuiteCase>, kept: boolean): string {
  switch (found.kind) {
    case 'alone':
      return '';
    case 'after':
      return `; fails only after earlier questions: it passes when asked alone, and fails after ${named(found.before)}${
        kept ? ', which are kept beside it' : ''
      }${found.spent ? '; fewer may do: enough was asked again' : ''}`;
    case 'unsteady':
      return '; it passes when a fresh process is asked it alone, and did not fail again after the same questions';
    case 'unasked':
      return found.passesAlone
        ? '; it passes when a fresh process is asked it alone, and was not asked again after the same questions: enough was asked again for other cases'
        : '; it was not asked again: enough was asked again for other cases';
  }
}

function recallOf(found: Found<SuiteCase>): Recall | null {
  switch (found.kind) {
    case 'alone':
      return { alone: 'fails' };
    case 'after':
      return { alone: 'passes', after: found.before.map(({ id }) => id) };
    case 'unsteady':
      return { alone: 'passes' };
    case 'unasked':
      return found.passesAlone ? { alone: 'passes' } : null;
  }
}

/** All that was asked before the case in the run, in order. */
function askedBefore(history: History, results: readonly CaseResult[], id: string) {
  const asked = new Set(results.filter((one) => one.asked).map((one) => one.id));
  return history.cases.slice(0, history.turnOf(id)).filter((one) => asked.has(one.id));
}

const directedCases = (cases: readonly SuiteCase[], options: RunOptions): AttentionCase[] =>
  cases.flatMap((one) => posed(one.build(), options)?.question ?? []);

/** Keeps the questions beside their case; whether they are there. A full disk is none of the verdict. */
function keepSequence(
  result: CaseResult,
  before: readonly SuiteCase[],
  options: RunOptions,
): boolean {
  if (result.kept === null) return false;
  try {
    keepBefore(result.kept, directedCases(before, options));
    return true;
  } catch (error) {
    result.notKept = `the questions before it, so that a replay asks it alone: ${fileSentence(error)}`;
    return false;
  }
}

/** One hang costs the time limit each time: those are left as they are. */
const isWorthAsking = (result: CaseResult): boolean =>
  isFailing(result) &&
  result.asked &&
  result.declined === undefined &&
  !/^it did not answer within/.test(result.verdict.reason);

/**
 * Asks the failing cases of a run again, and says in their reasons which of them fail only after other
 * questions. The candidate's process is a new one each time. Resolves to how many failing cases were
 * left alone because ALONE_IN_A_ROW before them had failed alone too.
 */
export function traceMemory(
  candidate: Candidate,
  history: History,
  results: readonly CaseResult[],
  options: RunOptions,
): Promise<number> {
  return withTemporaryFolder(async (root) => {
    const folders = questionFolders(placesFor(root, candidate.scratch));
    let left = QUESTIONS_ALL;
    const ask: FailsAfresh<SuiteCase> = async (sequence) => {
      candidate.kill();
      let last: Asked | null = null;
      for (const question of directedCases(sequence, options)) {
        if (options.stop?.aborted) return null;
        const folder = folders.next();
        last = await askOrSkip(candidate, question, folder, options);
        folders.done(folder);
      }
      return last !== null && isFailure(last.verdict.verdict);
    };
    let alone = 0;
    const failing = results.filter(isWorthAsking);
    for (const [n, result] of failing.entries()) {
      const victim = history.cases.find(({ id }) => id === result.id);
      if (options.stop?.aborted) break;
      if (victim === undefined) continue;
      if (alone >= ALONE_IN_A_ROW) return failing.length - n;
      const before = askedBefore(history, results, result.id);
      // The first is traced as far as it goes; the others share what is left.
      const share = Math.max(left / (failing.length - n), before.length + QUESTIONS_BESIDE);
      let own = n === 0 ? QUESTIONS_EACH : Math.min(QUESTIONS_EACH, share);
      const spend: Spend = (questions) => {
        if (questions > Math.min(own, left)) return false;
        own -= questions;
        left -= questions;
        return true;
      };
      const found = await failsAfter(victim, before, ask, spend);
      alone = found.kind === 'alone' ? alone + 1 : 0;
      if (options.stop?.aborted) break;
      const kept = found.kind === 'after' && keepSequence(result, found.before, options);
      result.verdict = { ...result.verdict, reason: result.verdict.reason + said(found, kept) };
      const recall = recallOf(found);
      if (recall !== null) result.recall = recall;
    }
    return 0;
  }, candidate.scratch);
}

/** Said of a run in which so many failing cases were left alone. */
export const untracedNote = (left: number): string =>
  `not asked again alone: ${left} of the failing cases, for ${ALONE_IN_A_ROW} failures in a row failed ` +
  'alone too; whether any of them fails only after earlier questions is not known';
