/**
 * Rounds: every case is asked again in the same run, with others in between, and the answers are held
 * against those of before.
 * @module
 */
import { isFailing } from './report.ts';
import type { CaseResult } from './run-suite.ts';

/**
 * What a later round adds to the result of a case: a failure where it had passed, or that both answers
 * are within their bounds and yet not the same bits. Was a new failure found?
 */
export function addRound(first: CaseResult, again: CaseResult, round: number): boolean {
  if (isFailing(first) || !first.asked || !again.asked) return false;
  if (isFailing(again)) {
    const reason = `${again.verdict.reason}; asked for the ${ordinal(round)} time, after a right answer`;
    Object.assign(first, again, { verdict: { ...again.verdict, reason } });
    return true;
  }
  if (first.bits !== again.bits) first.differs = true;
  return false;
}

const ordinal = (n: number): string => ['zeroth', 'first', 'second', 'third'][n] ?? `${n}th`;
