/**
 * The report as annotations of GitHub Actions: a line "::error …::…" for each of the first failing
 * cases, which GitHub shows beside the run, and one for the whole.
 *
 * A line that a candidate made could be a command too, so what is printed of it is put where the
 * runner obeys nothing, and every text in an annotation is escaped.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { isFailing, type Report } from '../report.ts';
import { printableLines } from '../text.ts';
import { evidence } from './evidence.ts';
import { summaryLine } from './text.ts';

/** GitHub shows ten errors of a step. */
const SHOWN = 9;

const data = (text: string): string =>
  printableLines(text).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

const annotation = (level: 'error' | 'notice', title: string, text: string): string =>
  `::${level} title=${property(title)}::${data(text)}\n`;

/** Between these two lines the runner obeys none. */
function silence(): readonly [begin: string, end: string] {
  const token = randomUUID();
  return [`::stop-commands::${token}\n`, `::${token}::\n`];
}

/** A text in which the runner obeys no line. */
export const quietly = (text: string): string => silence().join(text);

/** From now on no line is obeyed, until what is returned is called. */
export function hushed(): () => void {
  const [begin, end] = silence();
  process.stdout.write(begin);
  return () => void process.stdout.write(end);
}

export function githubReport(report: Report): string {
  const failing = report.cases.filter(isFailing);
  const { diagnosis } = report;
  const common =
    diagnosis === undefined ? [] : [annotation('error', 'diagnosis', diagnosis.headline)];
  const most = SHOWN - common.length;
  const each = failing.slice(0, most).map((one) => {
    const { verdict, reason } = one.verdict;
    return annotation('error', `${one.id}: ${verdict}`, [reason, ...evidence(one)].join('\n'));
  });
  const lines = [...common, ...each];
  const rest = failing.slice(most).map(({ id }) => id);
  if (rest.length > 0) {
    const names = rest.length > 40 ? [...rest.slice(0, 40), '…'] : rest;
    lines.push(annotation('error', `${rest.length} more failing cases`, names.join('\n')));
  }
  const whole = report.incomplete === undefined ? '' : `; incomplete: ${report.incomplete}`;
  const title = `${report.candidate}, judged as ${report.profile.name}`;
  lines.push(annotation('notice', title, `${summaryLine(report)}${whole}`));
  return lines.join('');
}
