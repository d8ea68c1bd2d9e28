/**
 * The hunt: cases are drawn, put to the candidate, judged, and what fails is shrunk through the
 * candidate itself to the smallest case that fails in the same way.
 *
 * fast-check draws in batches of their own seed, so any case can be drawn again from (seed, path).
 * @module
 */
import fc from 'fast-check';
import type { AttentionCase, OutputName } from '../../reference/case/case.ts';
import type { Shard } from '../select.ts';
import type { Interviewer, Reply } from './interviewer.ts';
import { isKnown, type Known, tellingWords } from './kind.ts';
import { huntLaw, type LawCounts } from './law-hunt.ts';
import { memorySentence, needsOf } from './memory.ts';
import { type Draws, drawable, drawsOf, type Has } from './questions.ts';

export interface HuntOptions extends Has {
  /** Cases to judge, and seconds to spend; null = no limit of that sort. */
  readonly runs: number | null;
  readonly maxSeconds: number | null;
  readonly seed: number;
  readonly shard: Shard | undefined;
  /** Aborted: no more is asked, and what was being shrunk is a finding as it is. */
  readonly stop?: AbortSignal;
}

/** A failure, shrunk; or as it was met, where it is flaky or fails only after other questions. */
export interface Finding extends Known {
  readonly question: AttentionCase;
  readonly reply: Reply;
  readonly flaky: boolean;
  /** Questions without which a new process passes it, in their order; most need none. */
  readonly before: readonly AttentionCase[];
  /** What asking a new process has shown, where it did not just fail again; else null. */
  readonly memory: string | null;
  readonly seed: number | null;
  readonly path: string | null;
  readonly shrinks: number;
  /** What the shrinking took; 0 where there was none. */
  readonly shrinkSeconds: number;
  /** The law by which it was found; null where the judge found it. */
  readonly law: string | null;
}

/** What the hunt tells while it runs. */
export interface HuntEvents {
  onFinding(finding: Finding): Promise<void>;
  /** A passing case that came nearer to a bound than any before. */
  onInteresting(question: AttentionCase, output: OutputName, share: number): void;
  onAsked(counts: Readonly<HuntCounts>): void;
}

export interface HuntCounts extends LawCounts {
  judged: number;
  /** Of these: with a failing verdict. Only the first of a kind becomes a finding. */
  failing: number;
  skipped: number;
  shrinkAttempts: number;
  /** Answers that came out otherwise when the same was asked again, all of them passing. */
  unsteady: number;
}

const SHRINK_MS = 30_000;
/** A failure found in the last second is still shrunk for this long. */
const OVERTIME_MS = 10_000;
/** The first answers are asked for twice, to see whether they are always the same. */
const ASKED_TWICE = 20;
/** Of a kind that was found to fail only after other questions, so many more are asked alone. */
const ASKED_ALONE = 5;
/** How much nearer to its bound a case must come to be remembered, and from where on. */
const NEARER = 1.25;
const NEAR = 0.01;

class Failing extends Error {}

/** Of a finding that was not shrunk, nor drawn again. */
const AS_MET = {
  ...{ flaky: false, before: [], memory: null, seed: null, path: null },
  ...{ shrinks: 0, shrinkSeconds: 0, law: null },
} as const;

/** A finding of the corpus, which fails still. */
export const stillFailing = (
  found: Pick<Finding, 'kind' | 'words' | 'question' | 'reply' | 'before'>,
): Finding => ({ ...AS_MET, ...found });

interface Prey {
  readonly kind: string;
  /** As it was drawn; it fails alone. */
  readonly drawn: { readonly question: AttentionCase; readonly reply: Reply };
  readonly words: string[];
  readonly sinceMs: number;
  readonly untilMs: number;
  attempts: number;
  /** To the smallest case so far. */
  reply: Reply;
}

/** A hunt in progress. */
interface State {
  readonly counts: HuntCounts;
  readonly known: Known[];
  /** Kinds that failed only after other questions, and how many more of each are asked alone. */
  readonly remembered: Map<string, number>;
  readonly nearest: Map<OutputName, number>;
  readonly endMs: number;
  /** What is being shrunk, until when. */
  prey: Prey | null;
  readonly stop: AbortSignal | undefined;
}

function noteNearest(
  state: State,
  events: HuntEvents,
  question: AttentionCase,
  reply: Reply,
): void {
  for (const [key, report] of Object.entries(reply.verdict.outputs)) {
    const name = key as OutputName;
    const best = state.nearest.get(name) ?? NEAR / NEARER;
    if (!(report.max_bound_fraction > NEARER * best)) continue;
    state.nearest.set(name, report.max_bound_fraction);
    events.onInteresting(question, name, report.max_bound_fraction);
  }
}

const over = (state: State, runs: number | null): boolean =>
  state.counts.gone ||
  state.stop?.aborted === true ||
  performance.now() >= state.endMs ||
  (runs !== null && state.counts.judged >= runs);

/** One attempt of a shrink: throws when the case still fails in the same way. */
async function shrinkStep(state: State, asker: Interviewer, question: AttentionCase) {
  const { prey } = state;
  if (prey === null || state.stop?.aborted || performance.now() >= prey.untilMs) return;
  state.counts.shrinkAttempts++;
  prey.attempts++;
  const reply = await asker.askImpatiently(question);
  if (reply.kind !== prey.kind) return;
  prey.reply = reply;
  throw new Failing();
}

/** Ask a failing case again: the same bits and the same failure, or it is flaky. */
async function isFlaky(asker: Interviewer, question: AttentionCase, first: Reply) {
  const again = await asker.ask(question);
  return again.asked && (again.kind !== first.kind || again.bits !== first.bits);
}

async function firstSeen(
  state: State,
  asker: Interviewer,
  events: HuntEvents,
  question: AttentionCase,
): Promise<void> {
  const { counts } = state;
  const twice = counts.judged < ASKED_TWICE;
  const reply = await asker.ask(question, { bits: twice });
  if (!reply.asked) {
    if (reply.verdict.verdict === 'broken') counts.gone = true;
    else counts.skipped++;
    return;
  }
  if (reply.verdict.verdict === 'skip') {
    counts.skipped++;
    return;
  }
  counts.judged++;
  events.onAsked(counts);
  const words = tellingWords(question);
  if (reply.kind === null) {
    noteNearest(state, events, question, reply);
    if (!twice) return;
    const again = await asker.ask(question, { bits: true });
    if (again.asked && again.bits !== reply.bits) counts.unsteady++;
    return;
  }
  counts.failing++;
  if (isKnown(state.known, reply.kind, words)) return;
  const before = asker.asked.all().slice(0, -1);
  await firstFailure(state, asker, events, {
    ...{ question, reply, before },
    isWhole: asker.asked.isWhole(),
  });
}

/** Until when a failure that is found now is looked into. */
function patience(state: State): number {
  const now = performance.now();
  return Math.min(now + SHRINK_MS, Math.max(state.endMs, now + OVERTIME_MS));
}

/** A failing reply, and what its process was asked before, as far as is remembered. */
interface Failure {
  readonly question: AttentionCase;
  readonly reply: Reply;
  readonly before: readonly AttentionCase[];
  readonly isWhole: boolean;
}

/**
 * What a failure of this kind needs: `isAlone` nothing, or else `told` of a finding. Null: it needs others,
 * like one of its kind that was found before.
 */
async function memoryOf(state: State, asker: Interviewer, failure: Failure) {
  const { question, before, isWhole } = failure;
  const known = failure.reply.kind ?? 'unknown';
  const left = state.remembered.get(known);
  if (left === 0) return null;
  if (left !== undefined) state.remembered.set(known, left - 1);
  const asked = left === undefined ? before : [];
  const needs = await needsOf(asker, question, failure.reply, asked, patience(state));
  const { found, reply = failure.reply } = needs;
  const isAlone = found.kind === 'alone' || (found.kind === 'unasked' && !found.passesAlone);
  if (left !== undefined && !isAlone) return null;
  const isAfter = found.kind === 'after';
  const kind = reply.kind ?? known;
  if (isAfter) state.remembered.set(kind, ASKED_ALONE);
  const told = {
    flaky: !isAlone && !isAfter,
    before: isAfter ? found.before : [],
    memory: memorySentence(found, isWhole),
  };
  return { isAlone, isAfter, reply, kind, told };
}

/** A failure that seems new: a finding, unless it fails alone. Then it throws, to be shrunk. */
async function firstFailure(
  state: State,
  asker: Interviewer,
  events: HuntEvents,
  failure: Failure,
): Promise<void> {
  const { question } = failure;
  const needs = await memoryOf(state, asker, failure);
  if (needs === null) return;
  const { isAlone, isAfter, reply, kind, told } = needs;
  const words = tellingWords(question);
  const isStopped = state.stop?.aborted === true;
  const isVarying = isAlone && !isStopped && (await isFlaky(asker, question, reply));
  if (isAlone && !isVarying) {
    const sinceMs = performance.now();
    const drawn = { question, reply };
    state.prey = { kind, drawn, words, sinceMs, untilMs: patience(state), attempts: 0, reply };
    throw new Failing();
  }
  if (!isAfter) state.known.push({ kind, words: [] });
  const flaky = isVarying || told.flaky;
  await events.onFinding({ ...AS_MET, kind, words, question, reply, ...told, flaky });
}

/** One batch of draws; ends at its first new failure, shrunk. */
async function batch(
  state: State,
  asker: Interviewer,
  events: HuntEvents,
  options: HuntOptions,
  { seed, drawn, numRuns }: Draws,
): Promise<void> {
  state.prey = null;
  const property = fc.asyncProperty(drawn, async (one: AttentionCase) => {
    const question = asker.deal(one);
    if (state.prey !== null) return shrinkStep(state, asker, question);
    if (!over(state, options.runs)) await firstSeen(state, asker, events, question);
  });
  const result = await fc.check(property, { seed, numRuns });
  const smallest = result.counterexample?.[0];
  if (!result.failed || smallest === undefined) return;
  if (!(result.errorInstance instanceof Failing)) throw result.errorInstance;
  const prey = state.prey as State['prey'];
  const shrinkSeconds = prey === null ? 0 : (performance.now() - prey.sinceMs) / 1000;
  const shrunk = asker.deal(smallest);
  const again = await asker.askAfresh([shrunk]);
  const origin = { seed: result.seed, path: result.counterexamplePath };
  const shrinks = { shrinks: prey?.attempts ?? 0, shrinkSeconds };
  const isPassed = again?.kind === null && again.asked && prey !== null;
  // Shrunk to one that fails only after others, while the one that was drawn fails alone.
  const { question, reply } = isPassed
    ? prey.drawn
    : { question: shrunk, reply: again?.asked || prey === null ? again : prey.reply };
  if (reply === null) return;
  const words = tellingWords(question);
  const kind = reply.kind ?? prey?.kind ?? 'unknown';
  state.known.push({ kind, words });
  await events.onFinding({
    ...{ ...AS_MET, kind, words, question, reply, ...origin, ...shrinks },
    memory: isPassed ? 'as drawn: what it was shrunk to passes when a new process is asked' : null,
  });
}

/** One law on larger cases; what breaks it is a finding, unless it was met before. */
async function lawBatch(
  state: State,
  asker: Interviewer,
  events: HuntEvents,
  options: HuntOptions,
  { seed, turn }: { seed: number; turn: number },
): Promise<void> {
  const draws = { seed, turn, endMs: state.endMs, stop: state.stop };
  const broken = await huntLaw(asker, drawable(options), draws, state.counts);
  if (broken === null) return;
  const { law, refused, reason, question: drawn, ...origin } = broken;
  state.counts.shrinkAttempts += broken.shrinks;
  const question = refused?.question ?? drawn;
  const reply = refused?.reply ?? (await asker.ask(question));
  const [kind, words] = [reply.kind ?? `law broken: ${law}, ${reason}`, tellingWords(question)];
  if (isKnown(state.known, kind, words)) return;
  const about = { ...AS_MET, kind, words, question, reply, law, ...origin };
  if (refused === null) {
    state.known.push({ kind, words });
    // Where a law is broken, the judge refuses an answer: if it does not, it was another answer.
    await events.onFinding({ ...about, flaky: reply.asked });
    return;
  }
  const needs = await memoryOf(state, asker, refused);
  if (needs === null) return;
  const { isAlone, isAfter, told } = needs;
  if (!isAfter) state.known.push({ kind, words });
  await events.onFinding(isAlone ? about : { ...about, ...told });
}

/** Draws until the runs or the seconds are spent, or the candidate is gone. */
export async function hunt(
  asker: Interviewer,
  options: HuntOptions,
  known: readonly Known[],
  events: HuntEvents,
): Promise<HuntCounts> {
  const { maxSeconds, shard = { index: 1, count: 1 } } = options;
  const counts = {
    ...{ judged: 0, failing: 0, skipped: 0, shrinkAttempts: 0, unsteady: 0 },
    ...{ laws: 0, equations: 0, gone: false },
  };
  const state: State = {
    counts,
    known: [...known],
    remembered: new Map(),
    nearest: new Map(),
    endMs: performance.now() + (maxSeconds ?? Number.POSITIVE_INFINITY) * 1000,
    prey: null,
    stop: options.stop,
  };
  for (let n = shard.index - 1; !over(state, options.runs); n += shard.count) {
    const before = counts.judged + counts.skipped;
    const seed = (options.seed * 1_000_003 + n) | 0;
    for (const draws of drawsOf(options, seed)) {
      if (!over(state, options.runs)) await batch(state, asker, events, options, draws);
    }
    if (counts.judged + counts.skipped === before) break;
    if (!over(state, options.runs) && options.supports.has('forward'))
      await lawBatch(state, asker, events, options, { seed, turn: n });
  }
  return counts;
}
