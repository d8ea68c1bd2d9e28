/**
 * The report for a reader: what the failures have in common first, then a few of them (all where that is
 * asked for), what was skipped for which reason, and the counts last.
 * @module
 */
import pc from 'picocolors';
import {
  claimedOf,
  dealtCounts,
  isFailing,
  judgedCount,
  notReturned,
  type Report,
  type ReportedCase,
  sampledCount,
  skipReasons,
} from '../report.ts';
import { NOT_REACHED } from '../run-suite.ts';
import { plural, WIDTH, wrapped } from '../text.ts';
import { evidence } from './evidence.ts';

type Colors = ReturnType<typeof pc.createColors>;

/** Failing cases told of where not all are asked for. */
const SHOWN = 3;

/** How much is told. */
export interface TextStyle {
  /** Every failing and every skipped case by name; otherwise a few, and counts. */
  readonly all?: boolean;
  /** Columns of the terminal. */
  readonly width?: number;
}

function failingLines(reported: ReportedCase, colors: Colors): string[] {
  const { verdict, reason } = reported.verdict;
  const head = `${colors.red(verdict)} ${colors.bold(reported.id)}: ${reason}`;
  return [head, ...indented(evidence(reported))];
}

const indented = (lines: readonly string[]): string[] => lines.map((line) => `    ${line}`);

const sentenceOf = ({ verdict: { verdict, reason } }: ReportedCase): string =>
  `${verdict} ${reason}`;

/** Cases with one verdict and reason in one paragraph: their names if asked for, after what they share. */
function together(
  cases: readonly ReportedCase[],
  [head, tail]: readonly [string, string],
  names: boolean,
): string[] {
  const groups = new Map<string, ReportedCase[]>();
  for (const one of cases) {
    groups.set(sentenceOf(one), [...(groups.get(sentenceOf(one)) ?? []), one]);
  }
  return [...groups.values()].flatMap((group) => [
    `${head} ${group.length}${tail}, ${group[0]?.verdict.reason}${names ? ':' : ''}`,
    ...indented((group[0]?.log ?? []).map((line) => `candidate: ${line}`)),
    ...(names ? indented(group.map(({ id }) => id)) : []),
  ]);
}

const REASONS_SHOWN = 8;

/** `252 cases judged: 240 pass, 2 fail, 1 broken; 9 skipped (needs f64: 9)`. */
export function summaryLine({ summary, cases }: Report): string {
  const groups = skipReasons(cases).map(([why, count]) => `${why}: ${count}`);
  const more = groups.length > REASONS_SHOWN ? ['…'] : [];
  const reasons = [...groups.slice(0, REASONS_SHOWN), ...more];
  const skipped = reasons.length > 0 ? ` (${reasons.join('; ')})` : '';
  const { pass, fail, broken, skip } = summary;
  const sampled = sampledCount(cases);
  const part = sampled === 0 ? '' : `, ${sampled} of them in a sample only`;
  const less = notReturned(cases)
    .map(([name, n]) => `, ${name} not returned in ${n}`)
    .join('');
  const judged = `${plural(judgedCount(summary), 'case')} judged${part}${less}`;
  const counts = `${pass} pass, ${fail} fail, ${broken} broken; ${skip} skipped${skipped}`;
  return [`${judged}: ${counts}`, ...shortDealt(cases)].join('; ');
}

/** How many cases were not distributed as they were dealt out. */
function shortDealt(cases: Report['cases']): string[] {
  const dealt = dealtCounts(cases);
  if (dealt === null) return [];
  const { several, fewer, one, ungrouped, anew } = dealt;
  const told: string[] = [];
  if (anew > 0) told.push(`dealt anew over ranks that the candidate has: ${anew}`);
  if (fewer > 0) {
    const why = 'ran on fewer ranks than dealt, since heads do not come out even';
    told.push(`${why}: ${fewer} of ${several}; on one rank: ${one}`);
  }
  if (ungrouped !== null && ungrouped > 0) {
    const why = "ran as LV-XAttn's ring alone, since ranks and heads give no grid";
    told.push(`${why}: ${ungrouped} of ${several}`);
  }
  return told;
}

/** `cases by the ranks that they ran on: 1 rank 35, 2 ranks 90`, where they differ from the dealt. */
function ranksLine({ cases }: Report): string[] {
  const dealt = dealtCounts(cases);
  if (dealt === null || dealt.fewer + dealt.anew === 0) return [];
  const parts = Object.entries(dealt.ranOn).map(
    ([ranks, count]) => `${plural(Number(ranks), 'rank')} ${count}`,
  );
  return [`cases by the ranks that they ran on: ${parts.join(', ')}`];
}

/** `of 250 cases that it claims, 240 (96 %) were answered and compared, 7 declined`. */
export function claimLine({ cases, silent, unlisted }: Report): string {
  if (silent) return 'it never said what it claims';
  const { cases: claimed, compared, declined } = claimedOf(cases, unlisted);
  if (claimed === 0) return 'of these cases it claims none';
  const percent = Math.floor((1000 * compared) / claimed) / 10;
  const more = declined === 0 ? '' : `, ${declined} declined`;
  return `of ${plural(claimed, 'case')} that it claims, ${compared} (${percent} %) answered and compared${more}`;
}

/** What passes say nothing of; of one case alone, its whole reason. */
function openLines({ cases }: Report): string[] {
  const passes = cases.filter(({ verdict: { verdict, open } }) => verdict === 'pass' && open);
  if (passes.length === 0) return [];
  const sum = (of: 'elements' | 'of'): number =>
    passes.reduce((total, { verdict }) => total + (verdict.open?.[of] ?? 0), 0);
  const share = `${sum('elements')} of the ${sum('of')} elements of ${plural(passes.length, 'passing case')}`;
  const reason = passes.length === 1 ? passes[0]?.verdict.reason : undefined;
  const why =
    'they may overflow on the way, or have no finite bound; --report names them case by case';
  return [`not judged: ${share}: ${reason ?? why}`];
}

/** Answers that came out in other bits when asked for again, all of them within the bounds. */
function differing({ cases }: Report): string[] {
  const ids = cases.filter(({ differs }) => differs).map(({ id }) => id);
  if (ids.length === 0) return [];
  return [
    `not deterministic: ${plural(ids.length, 'answer')} with other bits when asked again:`,
    ...indented(ids),
  ];
}

/** The failing cases to tell of: those that the diagnosis calls the smallest, or the first. */
function shownOf(asked: readonly ReportedCase[], report: Report, all: boolean): ReportedCase[] {
  if (all || asked.length <= SHOWN) return [...asked];
  const smallest = report.diagnosis?.smallest ?? [];
  const named = smallest.flatMap((id) => asked.find((one) => one.id === id) ?? []);
  return [...named, ...asked.filter((one) => !named.includes(one))].slice(0, SHOWN);
}

/** What is wrong comes first. */
function headline({ diagnosis }: Report, width: number, colors: Colors): string[] {
  if (diagnosis === undefined) return [];
  return [...wrapped(diagnosis.headline, width).map((line) => colors.bold(line)), ''];
}

const NOT_SHOWN = 'more failing cases: --all tells of each, and so does --report FILE.json';

/** What else is to be said of the whole. */
export const noteLines = (report: Report): string[] => [
  ...differing(report),
  ...(report.note === undefined ? [] : [report.note]),
  ...openLines(report),
  ...ranksLine(report),
];

export function textReport(report: Report, color = false, style: TextStyle = {}): string {
  const { all = false, width = WIDTH } = style;
  const colors = pc.createColors(color);
  const { pass, fail, broken } = report.summary;
  const good = pass > 0 ? colors.green : colors.yellow;
  const paint = fail + broken > 0 ? colors.red : good;
  const failing = report.cases.filter(isFailing);
  const unasked = failing.filter(({ asked }) => !asked);
  const asked = failing.filter(({ asked }) => asked);
  const shown = shownOf(asked, report, all);
  const left = asked.length - shown.length;
  const notReached = report.cases.filter(({ verdict }) => verdict.reason === NOT_REACHED).length;
  const skipped = report.cases.filter(
    ({ verdict: { verdict, reason } }) => verdict === 'skip' && reason !== NOT_REACHED,
  );
  const lines = [
    ...headline(report, width, colors),
    ...shown.flatMap((one) => failingLines(one, colors)),
    ...(left > 0 ? [`${left} ${NOT_SHOWN}`] : []),
    ...together(unasked, [colors.red('broken'), ' not asked'], true),
    ...together(skipped, [colors.yellow('skipped'), ''], all),
    ...(notReached > 0 ? [`${colors.yellow('not reached')} ${notReached}: ${NOT_REACHED}`] : []),
    ...report.cases
      .filter(({ verdict: { verdict, sample } }) => verdict === 'pass' && sample !== undefined)
      .map(({ id, verdict }) => `${colors.yellow('pass of a sample')} ${id}: ${verdict.reason}`),
    `${report.candidate}, judged as ${report.profile.name}: ${report.asked}`,
    ...noteLines(report),
    claimLine(report),
    paint(summaryLine(report)),
  ];
  return `${lines.join('\n')}\n`;
}
