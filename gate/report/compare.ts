/**
 * Two reports held against each other, case by case: what became better or worse, what is new and what
 * is gone.
 *
 * Worse is whatever says less for the candidate: a failure where none was, a worse failure, and also
 * a case, or an output of it, that was judged and is not any more. Nothing can look better by not being asked.
 * @module
 */
import type { VerdictName } from '../../reference/verdict/judge.ts';
import { isFailing, type Report, type ReportedCase } from '../report.ts';
import { printable } from '../text.ts';
import { checkDistinct } from './read.ts';

/** One case in both reports; null where it is in one alone. */
export interface Change {
  readonly id: string;
  readonly from: VerdictName | null;
  readonly to: VerdictName | null;
  /** What is to be said of it: the reason of the later report, or what is no longer judged. */
  readonly reason: string;
}

export interface Comparison {
  readonly worse: readonly Change[];
  readonly better: readonly Change[];
  readonly new: readonly Change[];
  readonly gone: readonly Change[];
  /** Cases with the same verdict on as much as before. */
  readonly same: number;
  /** In what the two runs differ, a sentence each. */
  readonly notes: readonly string[];
}

/** From good to bad: no usable answer is the worst. A skip says nothing, and is told apart. */
const ORDER: readonly VerdictName[] = ['pass', 'improbable', 'impossible', 'broken'];

const isJudged = ({ verdict: { verdict } }: ReportedCase): boolean => verdict !== 'skip';

/** What of a case that has the same verdict twice is judged in the second and not in the first. */
function moreJudged(a: ReportedCase, b: ReportedCase): string | null {
  const lost = (a.notReturned ?? []).filter((name) => !(b.notReturned ?? []).includes(name));
  if (lost.length > 0) return lost.join(' ');
  return a.verdict.sample !== undefined && b.verdict.sample === undefined
    ? 'what was outside of a sample'
    : null;
}

type Outcome = readonly ['worse' | 'better' | 'same', string];

function outcome(a: ReportedCase, b: ReportedCase): Outcome {
  const { reason } = b.verdict;
  if (isJudged(a) !== isJudged(b)) {
    if (isJudged(a)) return ['worse', `no longer judged: ${reason}`];
    return [isFailing(b) ? 'worse' : 'better', reason];
  }
  const [before, after] = [a, b].map(({ verdict }) => ORDER.indexOf(verdict.verdict));
  if (before !== after) return [(after ?? 0) > (before ?? 0) ? 'worse' : 'better', reason];
  const less = moreJudged(b, a);
  if (less !== null) return ['worse', `no longer judged: ${less}`];
  const more = moreJudged(a, b);
  return more === null ? ['same', reason] : ['better', `judged by now: ${more}`];
}

/** How two runs differ otherwise, as far as it matters to what is compared. */
function notesOn(a: Report, b: Report): string[] {
  const differ = (what: string, before: unknown, after: unknown, so: string): string[] =>
    before === after ? [] : [`${what}: ${before ?? 'none'}, then ${after ?? 'none'}; ${so}`];
  const ended = [
    ['the first', a],
    ['the second', b],
  ] as const;
  return [
    ...differ('other candidates', a.candidate, b.candidate, 'they are compared as they are'),
    ...differ('other seeds', a.seed, b.seed, 'a change may come from the numbers drawn'),
    ...differ('other versions', a.version, b.version, 'cases and bounds may have changed'),
    ...ended.flatMap(([which, { incomplete }]) =>
      incomplete === undefined
        ? []
        : [`${which} report does not speak of every case: ${incomplete}`],
    ),
  ];
}

/** Throws RangeError where verdicts are not of one kind, or of no case in common. */
export function compareReports(a: Report, b: Report): Comparison {
  if (a.profile.name !== b.profile.name) {
    throw new RangeError(
      `the second report expected verdicts at the profile ${a.profile.name} of the first, got ` +
        `${b.profile.name}: what another bound allows is neither better nor worse`,
    );
  }
  for (const one of [a, b]) checkDistinct(one);
  const [first, second] = [a, b].map(({ cases }) => new Map(cases.map((one) => [one.id, one])));
  const found = { worse: [], better: [], new: [], gone: [] } as Record<string, Change[]>;
  let same = 0;
  for (const after of b.cases) {
    const before = first?.get(after.id);
    const [kind, reason] =
      before === undefined ? (['new', after.verdict.reason] as const) : outcome(before, after);
    const from = before?.verdict.verdict ?? null;
    if (kind === 'same') same++;
    else found[kind]?.push({ id: after.id, from, to: after.verdict.verdict, reason });
  }
  for (const { id, verdict } of a.cases) {
    if (second?.has(id)) continue;
    found.gone?.push({ id, from: verdict.verdict, to: null, reason: verdict.reason });
  }
  const { worse = [], better = [], new: added = [], gone = [] } = found;
  if (same + worse.length + better.length === 0) {
    throw new RangeError(
      'the reports expected a case in common, got none: nothing can be compared',
    );
  }
  return { worse, better, new: added, gone, same, notes: notesOn(a, b) };
}

const LISTED = 40;

function lines(head: string, changes: readonly Change[], most: number): string[] {
  if (changes.length === 0) return [];
  const width = Math.min(60, Math.max(...changes.map(({ id }) => id.length)));
  const shown = changes.slice(0, most).map(({ id, from, to, reason }) => {
    const what = from === to ? from : [from, to].filter((one) => one !== null).join(' → ');
    const why = to === 'pass' && !/judged/.test(reason) ? '' : `: ${printable(reason, 300)}`;
    return `    ${printable(id, 400).padEnd(width)}  ${what}${why}`;
  });
  const more = changes.length > most ? [`    … and ${changes.length - most} more`] : [];
  return [`${head} ${changes.length}`, ...shown, ...more];
}

export function comparisonText({
  worse,
  better,
  new: added,
  gone,
  same,
  notes,
}: Comparison): string {
  const counts = `${worse.length} worse, ${better.length} better, ${added.length} new, ${gone.length} gone, ${same} as before`;
  const failing = added.filter(({ to }) => to !== 'pass' && to !== 'skip');
  const unheard = failing.length === 0 ? '' : `; of the new ones ${failing.length} fail`;
  return [
    ...lines('worse', worse, Number.POSITIVE_INFINITY),
    ...lines('better', better, LISTED),
    ...lines('new', [...failing, ...added.filter((one) => !failing.includes(one))], LISTED),
    ...lines('gone', gone, LISTED),
    ...notes.map((note) => printable(note, 1000)),
    `${counts}${unheard}`,
    '',
  ].join('\n');
}
