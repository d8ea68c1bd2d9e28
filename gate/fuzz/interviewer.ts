/**
 * Interviewer: puts one case after another to a candidate, each in a folder of its own, and tells
 * whether two answers were the same bits.
 * @module
 */

import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import type { AttentionCase } from '../../reference/case/case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { bitsOrNone } from '../answer-bits.ts';
import type { Candidate, Started } from '../candidate.ts';
import { dealtOver, worldOf } from '../dealing.ts';
import { unlessAborted } from '../interruption.ts';
import { placesFor, questionFolders } from '../question-folders.ts';
import { type Asked, answerOrSkip, askOrSkip, NOT_REACHED } from '../run-suite.ts';
import { returnedBy } from '../select.ts';
import { type AskedSince, askedSince } from './asked.ts';
import { kindOf } from './kind.ts';

/** An answer with what tells it from another. */
export interface Reply extends Asked {
  /** Kind of the failure; null where it did not fail. */
  readonly kind: string | null;
  /**
   * A digest of every output file's numbers, to the bit, a NaN being a NaN; of a passing reply only where
   * it is asked for, else ''.
   */
  readonly bits: string;
}

export interface AskOptions {
  /** Sees the folder before it goes. */
  readonly use?: (folder: string, reply: Reply) => void;
  /** The bits of a passing reply too. */
  readonly bits?: boolean;
}

export interface Interviewer {
  ask(question: AttentionCase, options?: AskOptions): Promise<Reply>;
  /** The same, but an answer that takes much longer than any good one so far counts as a hang. */
  askImpatiently(question: AttentionCase): Promise<Reply>;
  /**
   * A new process is asked these, one after another: what became of the last. Null: the run is to end, or
   * it was not come to before `untilMs`, on the clock of `performance.now()`.
   */
  askAfresh(
    sequence: readonly AttentionCase[],
    options?: AskOptions & { readonly untilMs?: number },
  ): Promise<Reply | null>;
  /** What this process was asked, the oldest first; of very many only the last. */
  readonly asked: Pick<AskedSince, 'all' | 'isWhole'>;
  /** The case over ranks that the candidate runs on. What is asked has been dealt so. */
  deal(question: AttentionCase): AttentionCase;
  /** The same, without what the candidate has said it does not return; null where nothing is left. */
  fit(question: AttentionCase): AttentionCase | null;
  /** Outputs that nobody judged; or what became of the question without them. */
  answer(question: AttentionCase): Promise<{ readonly outputs: GivenOutputs } | Asked>;
  readonly profile: Profile;
}

const PATIENCE = 20;
const PATIENCE_MS_MIN = 2000;

/** What becomes of a question that the run is not to wait for any more. */
const UNASKED: Asked = {
  asked: false,
  verdict: { verdict: 'skip', reason: NOT_REACHED, outputs: {} },
};

export interface InterviewOptions {
  readonly allowDeclined?: boolean;
  readonly stop?: AbortSignal;
  /** What cases are dealt by, to a candidate that says on how many ranks it runs. */
  readonly seed?: number;
}

/** Folders are made under `root`, and removed after each answer. */
export function interviewer(
  candidate: Candidate,
  started: Started,
  profile: Profile,
  root: string,
  { allowDeclined = false, stop, seed }: InterviewOptions = {},
): Interviewer {
  const world = worldOf(started, { seed: seed ?? 0 });
  const deal = (question: AttentionCase): AttentionCase => dealtOver(question, world);
  const folders = questionFolders(placesFor(root, candidate.scratch));
  const asking = { started, profile, allowDeclined };
  const asked = askedSince();
  let slowestMs = 0;
  // The first answer of a process waits until that has started.
  let isNew = true;
  const put = async (
    question: AttentionCase,
    limitMs: number | undefined,
    { use, bits = false }: AskOptions = {},
  ): Promise<Reply> => {
    if (stop?.aborted) return { ...UNASKED, kind: null, bits: '' };
    const folder = folders.next();
    const begin = performance.now();
    asked.note(question);
    const answer = askOrSkip(candidate, question, folder, asking, limitMs);
    const answered = await unlessAborted(stop, answer);
    if (answered === 'aborted') return { ...UNASKED, kind: null, bits: '' };
    const broken = answered.verdict.verdict === 'broken';
    if (!broken && !isNew) slowestMs = Math.max(slowestMs, performance.now() - begin);
    isNew = false;
    const kind = kindOf(answered.verdict);
    const wanted = answered.asked && (kind !== null || bits);
    const reply = { ...answered, kind, bits: wanted ? bitsOrNone(folder.taken()) : '' };
    use?.(folder.taken(), reply);
    folders.done(folder);
    return reply;
  };
  return {
    ask: (question, options) => put(question, undefined, options),
    askImpatiently: (question) => put(question, Math.max(PATIENCE_MS_MIN, PATIENCE * slowestMs)),
    async askAfresh(sequence, { untilMs = Number.POSITIVE_INFINITY, ...options } = {}) {
      if (stop?.aborted) return null;
      candidate.kill();
      asked.forget();
      isNew = true;
      let last: Reply | null = null;
      for (const [n, question] of sequence.entries()) {
        if (n > 0 && performance.now() >= untilMs) return null;
        last = await put(question, undefined, n === sequence.length - 1 ? options : {});
        if (stop?.aborted) return null;
      }
      return last;
    },
    asked,
    deal,
    fit: (question) =>
      returnedBy(started.ok ? started.hello.supports : new Set(), deal(question)).question,
    answer: async (question) => {
      if (stop?.aborted) return UNASKED;
      const folder = folders.next();
      asked.note(question);
      const answer = answerOrSkip(candidate, question, folder, asking);
      const answered = await unlessAborted(stop, answer);
      if (answered === 'aborted') return UNASKED;
      folders.done(folder);
      return answered;
    },
    profile,
  };
}
