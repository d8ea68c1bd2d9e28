/**
 * Laws on larger cases: a case and its relatives are put to a candidate, and its answers are held
 * against each other, where the answer itself would take the judge too long.
 *
 * The tolerance comes from the largest inputs alone (coarse bounds), so it allows more than the judge
 * does. An honest candidate is within it; and where a law is broken, some element of some answer is
 * outside its bound, so the judge, asked last and about the shrunk case only, refuses that answer too.
 * That answer's case is the finding, to be replayed like any other.
 * @module
 */
import fc from 'fast-check';
import {
  buildCase,
  type CaseOptions,
  type CaseRecipe,
  recipeArbitrary,
} from '../../properties/arbitraries/attention-case.ts';
import { LAWS } from '../../properties/laws/index.ts';
import { checkLaw, coarseElementBounds, type Law, relatives } from '../../properties/laws/law.ts';
import type { AttentionCase } from '../../reference/case/case.ts';
import type { GivenOutputs } from '../../reference/case/given.ts';
import { judge } from '../../reference/verdict/judge.ts';
import type { Interviewer, Reply } from './interviewer.ts';
import { kindOf } from './kind.ts';

/** Extents of the cases on which laws are tried, some hundred times the work of the small ones. */
export const LARGE = {
  batch: 2,
  kvHeads: 2,
  group: 3,
  seqQ: 40,
  seqKv: 160,
  headDim: 24,
  dimY: 4,
} as const;
const DRAWS = 8;
const SHRINK_MS = 30_000;

export interface LawCounts {
  /** Laws that a case and its relatives were held against, and equations that had a tolerance. */
  laws: number;
  equations: number;
  /** The candidate does not start any more. */
  gone: boolean;
}

/** An answer that the judge refuses, and what the process was asked before, as far as is remembered. */
export interface Refused {
  readonly question: AttentionCase;
  readonly reply: Reply;
  readonly before: readonly AttentionCase[];
  readonly isWhole: boolean;
}

/** A broken law, shrunk: the answer that the judge refuses; null where it refuses none. */
export interface BrokenLaw {
  readonly law: string;
  readonly reason: string;
  readonly question: AttentionCase;
  readonly refused: Refused | null;
  readonly seed: number;
  readonly path: string | null;
  readonly shrinks: number;
  readonly shrinkSeconds: number;
}

class Broken extends Error {}

/** A law broken: why, and the answers that break it, to these cases. */
interface Breach {
  readonly reason: string;
  readonly cases: readonly AttentionCase[];
  readonly outputs: readonly GivenOutputs[];
}

/** The law broken on this case; null where it is not, or says nothing here. */
async function brokenOn(
  asker: Interviewer,
  law: Law,
  question: AttentionCase,
  counts: LawCounts,
): Promise<Breach | null> {
  const cases = relatives(law, question)?.map(asker.deal);
  if (cases === undefined) return null;
  const outputs: GivenOutputs[] = [];
  for (const one of cases) {
    const answered = await asker.answer(one);
    if ('outputs' in answered) outputs.push(answered.outputs);
    else {
      counts.gone ||= !answered.asked && answered.verdict.verdict === 'broken';
      return null; // a crash or a hang is found on small cases
    }
  }
  const verdict = checkLaw(law, cases, outputs, asker.profile, coarseElementBounds);
  if (verdict.checked > 0) counts.laws++;
  counts.equations += verdict.checked;
  return verdict.verdict === 'impossible' ? { reason: verdict.reason, cases, outputs } : null;
}

/** Of a run that is to end: the first of the answers that broke the law that the judge refuses. */
function refusedBefore(asker: Interviewer, { cases, outputs }: Breach): Refused | null {
  for (const [n, question] of cases.entries()) {
    const verdict = judge(question, outputs[n] ?? {}, asker.profile);
    const kind = kindOf(verdict);
    if (kind === null) continue;
    const reply = { asked: true, verdict, kind, bits: '' };
    return { question, reply, before: [], isWhole: false };
  }
  return null;
}

/** The first answer to a case or a relative that the judge refuses. */
async function refusedOf(
  asker: Interviewer,
  law: Law,
  question: AttentionCase,
): Promise<Refused | null> {
  for (const one of (relatives(law, question) ?? []).map(asker.deal)) {
    const reply = await asker.ask(one);
    if (reply.kind === null) continue;
    const { asked } = asker;
    return { question: one, reply, before: asked.all().slice(0, -1), isWhole: asked.isWhole() };
  }
  return null;
}

interface LawDraws {
  readonly seed: number;
  /** Chooses the law. */
  readonly turn: number;
  readonly endMs: number;
  readonly stop: AbortSignal | undefined;
}

/**
 * Some draws of larger cases under one law, until `endMs` at most; the first that breaks it, shrunk until
 * `stop` is aborted: then what broke it is judged as it was answered.
 */
export async function huntLaw(
  asker: Interviewer,
  options: CaseOptions,
  { seed, turn, endMs, stop }: LawDraws,
  counts: LawCounts,
): Promise<BrokenLaw | null> {
  const law = LAWS[turn % LAWS.length];
  if (law === undefined) return null;
  const shrink = { sinceMs: Number.POSITIVE_INFINITY, attempts: 0 };
  let last: Breach | null = null;
  const property = fc.asyncProperty(
    recipeArbitrary({ ...options, shape: { ...LARGE, ...options.shape } }),
    async (recipe: CaseRecipe) => {
      const now = performance.now();
      const shrinking = Number.isFinite(shrink.sinceMs);
      if (counts.gone || stop?.aborted || now >= (shrinking ? shrink.sinceMs + SHRINK_MS : endMs))
        return;
      if (shrinking) shrink.attempts++;
      const fit = asker.fit(buildCase(recipe));
      if (fit === null) return;
      const breach = await brokenOn(asker, law, fit, counts);
      if (breach === null) return;
      last = breach;
      if (!shrinking) shrink.sinceMs = now;
      throw new Broken(breach.reason);
    },
  );
  const result = await fc.check(property, { seed, numRuns: DRAWS });
  const recipe = result.counterexample?.[0];
  if (!result.failed || recipe === undefined) return null;
  if (!(result.errorInstance instanceof Broken)) throw result.errorInstance;
  const shrinkSeconds = (performance.now() - shrink.sinceMs) / 1000;
  const drawn = buildCase(recipe);
  const question = asker.fit(drawn) ?? drawn;
  const breach = last as Breach | null;
  const isStopped = stop?.aborted === true && breach !== null;
  const refused = isStopped ? refusedBefore(asker, breach) : await refusedOf(asker, law, question);
  const { message: reason } = result.errorInstance;
  const { seed: drawnFrom, counterexamplePath: path } = result;
  const shrinks = { shrinks: shrink.attempts, shrinkSeconds };
  return { law: law.name, reason, question, refused, seed: drawnFrom, path, ...shrinks };
}
