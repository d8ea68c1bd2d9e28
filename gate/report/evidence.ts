/**
 * What a failing case has to say for itself beside its reason, line by line: the worst element of each
 * further output, the fault the case is built to show, the candidate's last words, and the command
 * that repeats it.
 * @module
 */
import {
  digits,
  distanceOff,
  type OutputReport,
  type Verdict,
} from '../../reference/verdict/judge.ts';
import type { ReportedCase } from '../report.ts';

function findingLine(name: string, finding: OutputReport): string {
  const at = `[${finding.worst_index.join(', ')}]`;
  const values = `expected ${digits(finding.expected)}, got ${digits(finding.got)}`;
  return `${name}${at}: ${values} (${distanceOff(finding)})`;
}

/** The outputs outside their bound beside the one that the reason names, the worst first. */
function findings({ outputs, reason }: Verdict): string[] {
  return Object.entries(outputs)
    .filter(([name, { max_bound_fraction }]) => {
      return max_bound_fraction > 1 && !reason.startsWith(`${name}[`);
    })
    .sort(([, a], [, b]) => (a.max_bound_fraction < b.max_bound_fraction ? 1 : -1))
    .map(([name, finding]) => findingLine(name, finding));
}

export function evidence(reported: ReportedCase): string[] {
  const lines = findings(reported.verdict);
  if (reported.shows !== null) lines.push(`this case shows: ${reported.shows}`);
  lines.push(...reported.log.map((line) => `candidate: ${line}`));
  if (reported.notKept !== undefined) lines.push(`could not be kept: ${reported.notKept}`);
  if (reported.replay !== null) lines.push(reported.replay);
  return lines;
}
