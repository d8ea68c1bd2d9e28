/**
 * Hypotheses: the faults of the zoo, alone and two at once, as hosts that answer a case.
 * @module
 */
import type { Fault } from '../../properties/zoo/fault.ts';
import { HONEST } from '../../properties/zoo/host/honest.ts';
import { PRECISIONS } from '../../properties/zoo/host/precision.ts';
import type { Seams } from '../../properties/zoo/host/seams.ts';
import { hostOf } from '../../properties/zoo/host.ts';
import type { ProfileName } from '../../reference/bounds/lemmas/profile.ts';
import type { AttentionCase, Outputs } from '../../reference/case/case.ts';
import { kvHead } from '../../reference/case/heads.ts';

/**
 * How a program takes a row's keys: rank by rank and there in small tiles, as the zoo's host does; a rank's all
 * at once; all of them at once, as a program does that is not distributed. Many faults are in what partial results
 * are made into, so they are other ones in each.
 */
export const SPREADS = ['tiles', 'ranks', 'whole'] as const;
export type Spread = (typeof SPREADS)[number];

/** One fault, or two at once. */
export interface Hypothesis {
  readonly faults: readonly Fault[];
  readonly spread: Spread;
  /** Steps with the faults in them, from a fresh state. */
  readonly seams: () => Partial<Seams>;
  /** How many steps are replaced: what changes less explains more simply. */
  readonly size: number;
}

export const alone = (fault: Fault, spread: Spread): Hypothesis => ({
  faults: [fault],
  spread,
  seams: fault.seams,
  size: Object.keys(fault.seams()).length,
});

/** Only how it rounds is otherwise. */
export const onlyRounds = ({ faults }: Pick<Hypothesis, 'faults'>): boolean =>
  faults.every((fault) => Object.keys(fault.seams()).every((name) => name === 'round'));

/** Steps that only do something beside, so that two of them can be done one after the other. */
const CHAINED: readonly string[] = ['begin', 'finishBackward', 'finish'] satisfies (keyof Seams)[];

type Beside<T extends unknown[]> = ((...given: T) => void) | undefined;

const inTurn =
  <T extends unknown[]>(first: Beside<T>, second: Beside<T>) =>
  (...given: T): void => {
    first?.(...given);
    second?.(...given);
  };

const chained = (a: Partial<Seams>, b: Partial<Seams>): Partial<Seams> => ({
  ...a,
  ...b,
  begin: inTurn(a.begin, b.begin),
  finishBackward: inTurn(a.finishBackward, b.finishBackward),
  finish: inTurn(a.finish, b.finish),
});

/** Two faults at once; null where both replace the same step. */
export function together(a: Fault, b: Fault, spread: Spread): Hypothesis | null {
  const names = Object.keys(b.seams());
  const shared = Object.keys(a.seams()).filter((name) => names.includes(name));
  if (shared.some((name) => !CHAINED.includes(name))) return null;
  return {
    faults: [a, b],
    spread,
    seams: () => chained(a.seams(), b.seams()),
    size: names.length + Object.keys(a.seams()).length,
  };
}

/** Only this row of every head is computed. */
function inRow(seams: Partial<Seams>, row: number): Partial<Seams> {
  const rowRange = seams.rowRange ?? HONEST.rowRange;
  return {
    ...seams,
    rowRange: (x, home, pass) => {
      const { start, stop } = rowRange(x, home, pass);
      return { start: Math.max(start, row), stop: Math.min(stop, row + 1) };
    },
  };
}

/** One batch entry and KV head. */
export interface Group {
  readonly b: number;
  readonly g: number;
}

/** Only the heads of one group attend to anything. */
function inGroup(seams: Partial<Seams>, { b, g }: Group): Partial<Seams> {
  const score = seams.score ?? HONEST.score;
  return {
    ...seams,
    score: (x, at) => (at.b === b && kvHead(x.p, at.h) === g ? score(x, at) : null),
  };
}

/** The same case, all of it on one rank. */
function onOneRank(question: AttentionCase): AttentionCase {
  const { seq_q, seq_kv, partition } = question.parameters;
  if (partition.ranks === 1) return question;
  const whole = { ranks: 1, q: [seq_q], kv: [seq_kv] };
  return { ...question, parameters: { ...question.parameters, partition: whole } };
}

const TILE = 4;

/** The first of the spreads that takes the keys of a case as this one does. */
export function spreadIn(spread: Spread, { parameters }: AttentionCase): Spread {
  const { ranks, kv } = parameters.partition;
  const alike = spread === 'whole' && ranks === 1 ? 'ranks' : spread;
  return alike === 'ranks' && kv.every((keys) => keys <= TILE) ? 'tiles' : alike;
}

/** How a case is asked: all of it, one row or one group of heads, of a fresh host or of one that has answered others. */
export interface AskedHow {
  readonly question: AttentionCase;
  readonly row?: number;
  readonly group?: Group;
  readonly before?: readonly AttentionCase[];
}

/** What it answers to a case; null where it throws. */
export function answerOf(
  { seams, spread }: Hypothesis,
  base: ProfileName,
  { question, row, group, before = [] }: AskedHow,
): Outputs | null {
  try {
    const tile = { tile: () => (spread === 'tiles' ? TILE : Number.POSITIVE_INFINITY) };
    const own = { ...tile, ...seams() };
    const spreadOut = spread === 'whole' ? onOneRank : (one: AttentionCase) => one;
    const cut = row === undefined ? own : inRow(own, row);
    const host = hostOf(PRECISIONS[base], group === undefined ? cut : inGroup(cut, group));
    for (const one of before) host(spreadOut(one));
    return host(spreadOut(question));
  } catch {
    // A fault may run over the end of an array where its case has none of what it breaks.
    return null;
  }
}
