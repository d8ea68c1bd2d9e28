/**
 * What a failing case has to say for itself, line by line: the worst element of each output, the
 * fault the case is built to show, the candidate's last words, and the command that repeats it.
 * @module
 */
import type { OutputReport, Verdict } from '../../reference/judge.ts';
import type { ReportedCase } from '../report.ts';

/** −0 stays −0. */
const digits = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

const rounded = (value: number): string => String(Number(value.toPrecision(4)));

function distance({ max_ulp, max_bound_fraction }: OutputReport): string {
  if (!Number.isFinite(max_bound_fraction)) return 'no bound allows it';
  const ulps = Number.isFinite(max_ulp) ? `${rounded(max_ulp)} ULP, ` : '';
  return `${ulps}${rounded(max_bound_fraction)} times the bound`;
}

function findingLine(name: string, finding: OutputReport): string {
  const at = `[${finding.worst_index.join(', ')}]`;
  const values = `expected ${digits(finding.expected)}, got ${digits(finding.got)}`;
  return `${name}${at}: ${values} (${distance(finding)})`;
}

/** The outputs that are outside their bound, the worst first. */
function findings({ outputs }: Verdict): string[] {
  return Object.entries(outputs)
    .filter(([, { max_bound_fraction }]) => max_bound_fraction > 1)
    .sort(([, a], [, b]) => (a.max_bound_fraction < b.max_bound_fraction ? 1 : -1))
    .map(([name, finding]) => findingLine(name, finding));
}

export function evidence(reported: ReportedCase): string[] {
  const lines = findings(reported.verdict);
  if (reported.shows !== null) lines.push(`this case shows: ${reported.shows}`);
  lines.push(...reported.log.map((line) => `candidate: ${line}`));
  if (reported.replay !== null) lines.push(reported.replay);
  return lines;
}
