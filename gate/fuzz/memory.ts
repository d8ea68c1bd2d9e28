/**
 * Memory: whether what fails fails alone, when a new process is asked nothing else, or only after
 * questions that came before it; then the shortest sequence of those.
 * @module
 */
import type { AttentionCase } from '../../reference/case/case.ts';
import { type Found, failsAfter } from '../after-others.ts';
import type { Interviewer, Reply } from './interviewer.ts';

/** What a failing question needs, and what became of it when it was asked so. */
export interface Needs {
  readonly found: Found<AttentionCase>;
  /** The failing reply of a process that was asked just that; undefined where there is none. */
  readonly reply: Reply | undefined;
}

/** A question that hung costs the time limit each time it is asked: that is left at once. */
const isHang = ({ verdict }: Reply): boolean => /^it did not answer within/.test(verdict.reason);

/**
 * Of `question`, which failed as `first` after `before` in this process. `untilMs`: no more is asked
 * then, on the clock of `performance.now()`.
 */
export async function needsOf(
  asker: Interviewer,
  question: AttentionCase,
  first: Reply,
  before: readonly AttentionCase[],
  untilMs: number,
): Promise<Needs> {
  if (isHang(first)) return { found: { kind: 'alone' }, reply: first };
  let reply: Reply | undefined;
  const found = await failsAfter(question, before, async (sequence) => {
    if (sequence.length > 1 && performance.now() >= untilMs) return null;
    const answered = await asker.askAfresh(sequence, { untilMs });
    if (answered === null) return null;
    if (answered.kind !== null) reply = answered;
    return answered.kind !== null;
  });
  return { found, reply };
}

/** How a finding's memory is told, after its kind. */
export function memorySentence(found: Found<AttentionCase>, isWhole: boolean): string {
  switch (found.kind) {
    case 'alone':
      return 'it fails alone too';
    case 'after': {
      const { length } = found.before;
      const fewer = found.spent ? '; fewer may do: the time for asking again was up' : '';
      return `fails only after earlier questions: a new process passes it, and fails it after ${
        length === 1 ? 'one other, which is' : `${length} others, which are`
      } kept with it${fewer}`;
    }
    case 'unsteady':
      return `a new process passes it, and did not fail it again after the ${isWhole ? 'same questions' : 'last of the same questions'}`;
    case 'unasked':
      return found.passesAlone
        ? 'a new process passes it, and was not asked again after the same questions: the time was up'
        : 'a new process was not asked again: the time was up';
  }
}
