/**
 * Cases are put to a candidate, one after another, and every one of them gets a verdict.
 *
 * The candidate sees a fresh folder that holds the question only, without its name. A case that needs
 * a word the candidate does not declare is skipped, by name, and never asked; declining a case whose
 * words it all declares is a failure.
 * @module
 */

import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Dealt } from '../gpu/dealt.ts';
import type { ProfileLike } from '../reference/bounds/lemmas/profile-options.ts';
import type { AttentionCase, OutputName } from '../reference/case/case.ts';
import { featureWords } from '../reference/case/features.ts';
import type { GivenOutputs } from '../reference/case/given.ts';
import type { Sample } from '../reference/case/sampling.ts';
import { readOutputs } from '../reference/files/given-outputs.ts';
import type { Expectation } from '../reference/verdict/expectation.ts';
import { expectationFor, judgeAgainst, type Verdict } from '../reference/verdict/judge.ts';
import { judgeSample } from '../reference/verdict/judge-sample.ts';
import { bitsOrNone } from './answer-bits.ts';
import type { Candidate, Started } from './candidate.ts';
import { posed, type World } from './dealing.ts';
import { fileSentence } from './file-errors.ts';
import { withFunctionals } from './functionals.ts';
import { unlessAborted } from './interruption.ts';
import { keepCase } from './keep.ts';
import { writeQuestion } from './question.ts';
import {
  placesFor,
  type QuestionFolder,
  type QuestionFolders,
  type QuestionPlaces,
  questionFolders,
  removeDistrusted,
} from './question-folders.ts';
import { type Direction, returnedBy } from './select.ts';
import type { SuiteCase } from './suite.ts';
import { threadsFor } from './threads.ts';
import { withRanks } from './wrong-ranks.ts';

/** The reason of cases that the run did not come to. */
export const NOT_REACHED = 'the run was interrupted';

/** Whether a failing case fails alone too, and the earlier questions after which it fails, where those are known. */
export interface Recall {
  readonly alone: 'passes' | 'fails';
  readonly after?: readonly string[];
}

/** What became of one case. */
export interface CaseResult {
  id: string;
  /** The fault that this case is built to show, if it is built for one. */
  shows: string | null;
  /** Feature words that it needs, and its dtype. */
  words: readonly string[];
  /** False: it needs what the candidate lacks, or the candidate was not there. */
  asked: boolean;
  /** It answered `unsupported` to a case whose words it all declares. */
  declined?: true;
  /** Outputs that the case wants and that the candidate has said it does not return: not judged. */
  notReturned?: readonly OutputName[];
  /** On how many ranks it was computed, where that is known. */
  dealt?: Dealt;
  verdict: Verdict;
  /** Where the failing case is kept. */
  kept: string | null;
  /** Why it could not be kept: a failure of the disk is none of the verdict. */
  notKept?: string;
  /** A digest of what it wrote, where that was asked for and it answered. */
  bits?: string;
  /** When asked again in the same run, it wrote other bits, within the bounds both times. */
  differs?: true;
  /** What a fresh process answered to it alone, where it failed and was asked again. */
  recall?: Recall;
  /** The end of the candidate's log, for a case that is broken. */
  log: string[];
  seconds: number;
}

/** An answer, and what was expected of it. */
export interface Compared {
  readonly outputs: GivenOutputs;
  readonly expected: Expectation;
}

/** One case as it was asked and judged. */
export interface Seen {
  readonly id: string;
  readonly question: AttentionCase;
  readonly verdict: Verdict;
  /** Null: there was no whole answer, or a sample was judged. */
  readonly compared: Compared | null;
}

/** What of a case is judged, and the folder that the question is copied from. */
export interface Sampling {
  readonly sample: Sample;
  readonly from: string;
}

export interface RunOptions {
  /** What `candidate.start()` gave. */
  started: Started;
  profile: ProfileLike;
  direction: Direction;
  /** Failing cases are kept here; null = not kept. */
  outDir: string | null;
  /** Judge a sample of each case; default: all of it. */
  sampling?: Sampling;
  /** Words that must be declared: a case skipped for want of one is a failure. Default: none. */
  required?: readonly string[];
  /** Declining a case whose words it all declares is a skip; default: a failure. */
  allowDeclined?: boolean;
  /** Errors within their bounds may not lean one way together (functionals.ts); default: not looked at. */
  functionals?: boolean;
  /** What cases are dealt over; null or absent = they stay as they are. */
  world?: World | null;
  /** Digests of the answers are wanted. */
  bits?: boolean;
  /** Aborted: the case at hand and those after it are not reached. */
  stop?: AbortSignal;
  /** Told of each case that was asked, once it is judged. */
  observe?: (seen: Seen) => void;
  onCase?: (done: number, total: number, result: CaseResult | null) => void;
}

const without = (verdict: 'skip' | 'broken', reason: string): Verdict => ({
  verdict,
  reason,
  outputs: {},
});

const unasked = (verdict: 'skip' | 'broken', reason: string): Asked => ({
  asked: false,
  verdict: without(verdict, reason),
});

const FAILED = new Set(['impossible', 'improbable', 'broken']);

/** `asked`: the candidate had its chance, so the case is worth keeping if it failed. */
export interface Asked {
  asked: boolean;
  declined?: true;
  /** Outputs that the case wants and that the candidate has said it does not return. */
  notReturned?: readonly OutputName[];
  verdict: Verdict;
}

/** How a question is asked, and what counts as an answer. */
export type Asking = Pick<
  RunOptions,
  'started' | 'sampling' | 'required' | 'allowDeclined' | 'functionals'
>;

/** Nobody may claim a word and then choose the cases to be judged by. */
function declined(reason: string, allowed: boolean | undefined): Asked {
  const verdict = allowed
    ? without('skip', `the candidate declined: ${reason}`)
    : without('broken', `declined what it claims: ${reason}`);
  return { asked: true, declined: true, verdict };
}

/** Put `question` to the candidate in `folder`; null once it has answered there. */
async function put(
  candidate: Candidate,
  question: AttentionCase,
  { started, sampling, allowDeclined }: Asking,
  folder: QuestionFolder,
  limitMs: number | undefined,
): Promise<Asked | null> {
  const sharded = started.ok && started.hello.sharded === true;
  folder.show((made) => writeQuestion(made, question, { from: sampling?.from, sharded }));
  const answer = await candidate.answer(folder.asked, limitMs);
  if (answer.status === 'gone') return unasked('broken', answer.reason);
  if (answer.status === 'unsupported') return declined(answer.reason, allowDeclined);
  if (answer.status === 'broken') return { asked: true, verdict: without('broken', answer.reason) };
  return null;
}

/** The verdict on the outputs that lie in a folder, or on a sample; `onRanks`: they were computed on ranks. */
export function verdictIn(
  folder: string,
  question: AttentionCase,
  profile: ProfileLike,
  sample: Sample | undefined,
  onCompared?: (compared: Compared) => void,
  onRanks = false,
): Verdict {
  const read = readOutputs(folder, question, sample);
  if (!read.ok) return without('broken', read.reason.replaceAll(folder, 'the case folder'));
  if (sample === undefined) {
    const compared = { outputs: read.outputs, expected: expectationFor(question, profile) };
    onCompared?.(compared);
    const verdict = judgeAgainst(compared.expected, read.outputs);
    return read.byRank || onRanks ? withRanks(verdict, compared) : verdict;
  }
  return judgeSample(question, read.outputs, profile, sample, { threads: threadsFor(question) });
}

/** Words that the case needs and the candidate does not declare, in contract order. */
function missingWords(question: AttentionCase, supports: ReadonlySet<string>): string[] {
  return featureWords(question).filter((word) => !supports.has(word));
}

/** The same, unless the candidate is not there or lacks a word. */
async function putOrSkip(
  candidate: Candidate,
  question: AttentionCase,
  folder: QuestionFolder,
  asking: Asking,
  limitMs: number | undefined,
): Promise<Asked | null> {
  const { started, required = [] } = asking;
  if (!started.ok) return unasked('broken', started.reason);
  const missing = missingWords(question, started.hello.supports);
  const must = missing.filter((word) => required.includes(word));
  if (must.length > 0) return unasked('broken', `does not declare ${must.join(' ')}, as required`);
  if (missing.length > 0) return unasked('skip', `needs ${missing.join(' ')}`);
  return put(candidate, question, asking, folder, limitMs);
}

/** Put a case to the candidate in a new folder, at most `limitMs` long, unless it cannot do it. */
export async function askOrSkip(
  candidate: Candidate,
  question: AttentionCase,
  folder: QuestionFolder,
  options: Asking & Pick<RunOptions, 'profile'>,
  limitMs?: number,
  onCompared?: (compared: Compared) => void,
): Promise<Asked> {
  const { started, profile, sampling } = options;
  const supports = started.ok ? started.hello.supports : new Set<string>();
  const { question: asked, dropped } = returnedBy(supports, question);
  if (asked === null) return unasked('skip', `it returns no ${dropped.join(' ')}, by its own word`);
  const about = dropped.length === 0 ? {} : { notReturned: dropped };
  const unanswered = await putOrSkip(candidate, asked, folder, options, limitMs);
  if (unanswered !== null) return { ...unanswered, ...about };
  let compared: Compared | undefined;
  const note = (one: Compared): void => {
    compared = one;
    onCompared?.(one);
  };
  const dealt = candidate.dealt?.();
  const onRanks = dealt
    ? dealt.ran === dealt.given
    : started.ok && started.hello.ranks !== undefined;
  const verdict = verdictIn(folder.taken(), asked, profile, sampling?.sample, note, onRanks);
  const looked = options.functionals === true ? compared : undefined;
  return {
    asked: true,
    ...about,
    verdict: looked ? withFunctionals(verdict, asked, profile, looked.outputs) : verdict,
  };
}

/** A candidate's outputs, which nobody judged; or what became of the question without them. */
export async function answerOrSkip(
  candidate: Candidate,
  question: AttentionCase,
  folder: QuestionFolder,
  asking: Asking,
): Promise<{ readonly outputs: GivenOutputs } | Asked> {
  const unanswered = await putOrSkip(candidate, question, folder, asking, undefined);
  if (unanswered !== null) return unanswered;
  const read = readOutputs(folder.taken(), question);
  if (read.ok) return { outputs: read.outputs };
  return { asked: true, verdict: without('broken', read.reason) };
}

/** The failing case kept, or why it is not. */
function keptIn(
  question: AttentionCase,
  folder: string,
  outDir: string | null,
): Pick<CaseResult, 'kept' | 'notKept'> {
  if (outDir === null) return { kept: null };
  try {
    return { kept: keepCase(question, folder, outDir) };
  } catch (error) {
    // A part of a case is of no use, and the report needs the room.
    try {
      rmSync(path.join(outDir, question.parameters.id), { recursive: true, force: true });
    } catch {}
    return { kept: null, notKept: fileSentence(error) };
  }
}

async function runCase(
  candidate: Candidate,
  suiteCase: SuiteCase,
  folders: QuestionFolders,
  options: RunOptions,
): Promise<CaseResult | null> {
  const begin = performance.now();
  const asking = posed(suiteCase.build(), options);
  if (asking === null) return null;
  const { question } = asking;
  const folder = folders.next();
  const known: { compared: Compared | null } = { compared: null };
  const { verdict, ...how } = await askOrSkip(
    candidate,
    question,
    folder,
    options,
    undefined,
    (compared) => {
      known.compared = compared;
    },
  );
  const dealt = how.asked ? (candidate.dealt?.() ?? asking.dealt) : null;
  const keep = how.asked && FAILED.has(verdict.verdict) && options.stop?.aborted !== true;
  const outDir = keep ? options.outDir : null;
  const keeping = keptIn(question, folder.taken(), outDir);
  const bits = options.bits && how.asked ? { bits: bitsOrNone(folder.taken()) } : {};
  const log = verdict.verdict === 'broken' ? candidate.log() : [];
  const seconds = (performance.now() - begin) / 1000;
  folders.done(folder);
  const { started } = options;
  const supports = started.ok ? started.hello.supports : new Set<string>();
  const asked = returnedBy(supports, question).question;
  if (how.asked) {
    options.observe?.({ id: suiteCase.id, question: asked ?? question, verdict, ...known });
  }
  const about = {
    id: suiteCase.id,
    shows: suiteCase.shows,
    words: featureWords(asked ?? question),
  };
  const ranks = dealt === null ? {} : { dealt };
  return { ...about, ...how, ...ranks, verdict, ...keeping, ...bits, log, seconds };
}

/** A new folder for questions, removed with all in it when `use` is done. */
export async function withTemporaryFolder<T>(
  use: (folder: string) => Promise<T>,
  scratch?: QuestionPlaces,
): Promise<T> {
  const folder = realpathSync(mkdtempSync(path.join(scratch?.own ?? tmpdir(), 'xattn-')));
  const remove = (): void => {
    try {
      // A candidate may still write there: no link of its is followed.
      if (!removeDistrusted(folder, path.dirname(folder)))
        throw new Error('it is still written to, or closed to us');
    } catch (error) {
      // A candidate that still writes there must not cost the verdicts.
      process.stderr.write(`xattn: ${folder} was left behind: ${(error as Error).message}\n`);
    }
  };
  process.once('exit', remove);
  try {
    return await use(folder);
  } finally {
    process.removeListener('exit', remove);
    remove();
  }
}

/** The result of a case that the run did not come to. */
export const notReached = ({ id, shows }: Omit<SuiteCase, 'build'>): CaseResult => ({
  ...{ id, shows, words: [], kept: null, log: [], seconds: 0 },
  ...unasked('skip', NOT_REACHED),
});

/** A result for every case that has something of the direction asked for. */
export function runSuite(
  candidate: Candidate,
  cases: readonly SuiteCase[],
  options: RunOptions,
): Promise<CaseResult[]> {
  return withTemporaryFolder(async (root) => {
    const results: CaseResult[] = [];
    const folders = questionFolders(placesFor(root, candidate.scratch));
    for (const [i, suiteCase] of cases.entries()) {
      if (options.stop?.aborted) {
        results.push(notReached(suiteCase));
        continue;
      }
      const first = await unlessAborted(
        options.stop,
        runCase(candidate, suiteCase, folders, options),
      );
      const result = first === 'aborted' ? notReached(suiteCase) : first;
      if (result !== null) results.push(result);
      options.onCase?.(i + 1, cases.length, result);
    }
    return results;
  }, candidate.scratch);
}
