/**
 * Cases are put to a candidate, one after another, and every one of them gets a verdict.
 *
 * The candidate sees a fresh folder that holds the question only. A case that needs a word the
 * candidate does not declare is skipped, by name, and never asked.
 * @module
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { AttentionCase } from '../reference/case.ts';
import { copyCase, writeCase } from '../reference/case-folder.ts';
import { featureWords } from '../reference/features.ts';
import { readOutputs } from '../reference/given-outputs.ts';
import { type GivenOutputs, judge, type Verdict } from '../reference/judge.ts';
import type { ProfileLike } from '../reference/profile-options.ts';
import { judgeSample } from '../reference/sampled/judge-sample.ts';
import type { Sample } from '../reference/sampling.ts';
import type { Candidate, Started } from './candidate.ts';
import { keepCase } from './keep.ts';
import { type QuestionFolders, questionFolders } from './question-folders.ts';
import { type Direction, directed } from './select.ts';
import type { SuiteCase } from './suite.ts';
import { threadsFor } from './threads.ts';

/** What became of one case. */
export interface CaseResult {
  id: string;
  /** The fault that this case is built to show, if it is built for one. */
  shows: string | null;
  /** False: it needs what the candidate lacks, or the candidate was not there. */
  asked: boolean;
  verdict: Verdict;
  /** Where the failing case is kept. */
  kept: string | null;
  /** Why it could not be kept: a failure of the disk is none of the verdict. */
  notKept?: string;
  /** The end of the candidate's log, for a case that is broken. */
  log: string[];
  seconds: number;
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
  verdict: Verdict;
}

/** Put `question` to the candidate in `folder`, which is empty; null once it has answered there. */
async function put(
  candidate: Candidate,
  question: AttentionCase,
  sampling: Sampling | undefined,
  folder: string,
  limitMs: number | undefined,
): Promise<Asked | null> {
  if (sampling === undefined) writeCase(folder, question);
  else copyCase(sampling.from, folder);
  const answer = await candidate.answer(folder, limitMs);
  if (answer.status === 'gone') return unasked('broken', answer.reason);
  if (answer.status === 'unsupported') {
    return unasked('skip', `the candidate declined: ${answer.reason}`);
  }
  if (answer.status === 'broken') return { asked: true, verdict: without('broken', answer.reason) };
  return null;
}

/** The verdict on the outputs that lie in a folder, or on a sample of them. */
export function verdictIn(
  folder: string,
  question: AttentionCase,
  profile: ProfileLike,
  sample: Sample | undefined,
): Verdict {
  const read = readOutputs(folder, question, sample);
  if (!read.ok) return without('broken', read.reason.replaceAll(folder, 'the case folder'));
  if (sample === undefined) return judge(question, read.outputs, profile);
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
  folder: string,
  { started, sampling }: Pick<RunOptions, 'started' | 'sampling'>,
  limitMs: number | undefined,
): Promise<Asked | null> {
  if (!started.ok) return unasked('broken', started.reason);
  const missing = missingWords(question, started.hello.supports);
  if (missing.length > 0) return unasked('skip', `needs ${missing.join(' ')}`);
  return put(candidate, question, sampling, folder, limitMs);
}

/** Put a case to the candidate in an empty folder, at most `limitMs` long, unless it cannot do it. */
export async function askOrSkip(
  candidate: Candidate,
  question: AttentionCase,
  folder: string,
  options: Pick<RunOptions, 'started' | 'profile' | 'sampling'>,
  limitMs?: number,
): Promise<Asked> {
  const unanswered = await putOrSkip(candidate, question, folder, options, limitMs);
  if (unanswered !== null) return unanswered;
  const verdict = verdictIn(folder, question, options.profile, options.sampling?.sample);
  return { asked: true, verdict };
}

/** A candidate's outputs, which nobody judged; or what became of the question without them. */
export async function answerOrSkip(
  candidate: Candidate,
  question: AttentionCase,
  folder: string,
  started: Started,
): Promise<{ readonly outputs: GivenOutputs } | Asked> {
  const unanswered = await putOrSkip(candidate, question, folder, { started }, undefined);
  if (unanswered !== null) return unanswered;
  const read = readOutputs(folder, question);
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
    return { kept: null, notKept: error instanceof Error ? error.message : String(error) };
  }
}

async function runCase(
  candidate: Candidate,
  suiteCase: SuiteCase,
  folders: QuestionFolders,
  options: RunOptions,
): Promise<CaseResult | null> {
  const begin = performance.now();
  const question = directed(suiteCase.build(), options.direction);
  if (question === null) return null;
  const folder = folders.next();
  const { asked, verdict } = await askOrSkip(candidate, question, folder, options);
  const outDir = asked && FAILED.has(verdict.verdict) ? options.outDir : null;
  const keeping = keptIn(question, folder, outDir);
  const log = verdict.verdict === 'broken' ? candidate.log() : [];
  const seconds = (performance.now() - begin) / 1000;
  folders.done(folder, verdict.verdict !== 'broken');
  return { id: suiteCase.id, shows: suiteCase.shows, asked, verdict, ...keeping, log, seconds };
}

/** A new folder for questions, removed with all in it when `use` is done. */
export async function withTemporaryFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'xattn-')));
  const remove = (): void => {
    try {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
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

/** A result for every case that has something of the direction asked for. */
export function runSuite(
  candidate: Candidate,
  cases: readonly SuiteCase[],
  options: RunOptions,
): Promise<CaseResult[]> {
  return withTemporaryFolder(async (root) => {
    const results: CaseResult[] = [];
    const folders = questionFolders(root);
    for (const [i, suiteCase] of cases.entries()) {
      const result = await runCase(candidate, suiteCase, folders, options);
      if (result !== null) results.push(result);
      options.onCase?.(i + 1, cases.length, result);
    }
    return results;
  });
}
