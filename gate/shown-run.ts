/**
 * Which run of the embedded candidate a report shows as a timeline: a failing case before a passing
 * one, then the one on most ranks.
 * @module
 */
import type { Candidate } from './candidate.ts';
import { isFailing, type Report } from './report.ts';
import type { CaseResult } from './run-suite.ts';

export class ShownRun {
  /** Undefined: nothing was drawn. */
  timeline: Report['timeline'];
  #best: readonly [failing: boolean, ranks: number] = [false, 0];

  /** Called when a case has been judged, before the next is asked. */
  consider(candidate: Candidate, result: CaseResult): void {
    const [failing, ranks] = [isFailing(result), result.dealt?.ran ?? 0];
    const [before, most] = this.#best;
    const isBetter = failing === before ? ranks > most : failing;
    if (ranks === 0 || !isBetter) return;
    const where = `${result.id}, ${ranks} ${ranks === 1 ? 'rank' : 'ranks'}`;
    const svg = candidate.timeline?.(`${where}: a real run`) ?? null;
    if (svg === null) return;
    this.#best = [failing, ranks];
    this.timeline = { svg, caption: `What each rank did when, in ${where}.` };
  }
}
