/**
 * `xattn doctor`: a table of what works on this machine, what each thing is for, and how to get
 * what is missing. Fails only where something required is missing.
 * @module
 */
import { examineAll, type Finding } from '../doctor.ts';
import { printable } from '../text.ts';

const STATE = (finding: Finding): string =>
  finding.works ? 'works' : finding.required ? 'MISSING' : 'absent';

function rowOf(finding: Finding): string[] {
  const found = printable(finding.found, 60);
  const last = finding.works ? found : `${found}; ${finding.remedy}`;
  return [STATE(finding), finding.name, finding.purpose, last];
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, c) =>
    Math.max(...rows.map((row) => (row[c] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, c) => cell.padEnd(widths[c] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function doctorReport(findings: readonly Finding[]): string {
  const heading = ['', 'what', 'for', 'found'];
  const missing = findings.filter(({ works, required }) => required && !works);
  const conclusion =
    missing.length === 0
      ? 'Everything required works.'
      : `Required, and missing: ${missing.map(({ name }) => name).join(', ')}.`;
  return `${table([heading, ...findings.map(rowOf)])}\n${conclusion}\n`;
}

export async function doctorCommand(): Promise<number> {
  const findings = await examineAll();
  process.stdout.write(doctorReport(findings));
  return findings.some(({ works, required }) => required && !works) ? 1 : 0;
}
