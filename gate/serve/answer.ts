/**
 * One request to the server, answered: the verdict on the outputs that lie in a case folder, with the
 * fields that it has in a report, or a sentence where none can be given. Nothing here throws.
 * @module
 */

import { profileFrom } from '../../reference/bounds/lemmas/profile-options.ts';
import { EVERYTHING } from '../../reference/case/sampling.ts';
import { isFailure, type Verdict } from '../../reference/verdict/judge.ts';
import { shareOf } from '../../reference/verdict/judge-sample.ts';
import { judgeLine, openToJudge } from '../commands/sample.ts';
import { fileSentence } from '../file-errors.ts';
import { verdictIn } from '../run-suite.ts';
import { printable } from '../text.ts';
import type { JudgeRequest } from './request.ts';

/** An answer but for the id, which the thread that judges does not know. */
export type Answer =
  | (Verdict & {
      /** What the failure looks like; no diagnosis is made yet, so null. */
      readonly diagnosis: null;
      /** The command that gives a failing verdict again; null of what does not fail. */
      readonly replay: string | null;
    })
  | { readonly error: string };

/** Elements of outputs that one request may be about: what is held of each is some hundred bytes. */
const JUDGED_MAX = 2 ** 24;

function judged(request: JudgeRequest): Answer {
  const profile = profileFrom(request.profile);
  const { question, sample, close } = openToJudge(request.case, request);
  try {
    const { judged: elements } = shareOf(question, sample ?? EVERYTHING).elements;
    if (elements > JUDGED_MAX) {
      throw new RangeError(
        `"case" expected at most ${JUDGED_MAX} elements to judge, got ${elements}; ` +
          '"rows" and "keys" take a sample of it',
      );
    }
    const verdict = verdictIn(request.case, question, profile, sample);
    const replay = isFailure(verdict.verdict)
      ? judgeLine(request.case, profile.name, request)
      : null;
    return { ...verdict, diagnosis: null, replay };
  } finally {
    close();
  }
}

/** Room for a path and what is said of it. */
const SENTENCE_MAX = 5000;

/** What is to be said of whatever was thrown. */
function sentence(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  const known = error instanceof RangeError || (code !== undefined && !code.startsWith('ERR_'));
  const text = fileSentence(error);
  return printable(known ? text : `internal error: ${text}; please report it`, SENTENCE_MAX);
}

/** The answer to a request. */
export function answerTo(request: JudgeRequest): Answer {
  try {
    return judged(request);
  } catch (error) {
    return { error: sentence(error) };
  }
}
