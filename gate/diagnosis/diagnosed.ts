/**
 * A report with its diagnosis, where something failed and the run came to its end.
 * @module
 */
import type { Fault } from '../../properties/zoo/fault.ts';
import { fileSentence } from '../file-errors.ts';
import { isFailing, type Report } from '../report.ts';
import { diagnose } from './diagnose.ts';
import type { Observer } from './kept-answers.ts';

/** Loaded only where something fails: some hundred files. */
async function wholeZoo(): Promise<readonly Fault[]> {
  const { loadZoo } = await import('../../properties/zoo/zoo.ts');
  return loadZoo();
}

/** The report and what its failures have in common; a failure to find that out costs no verdict. */
export async function diagnosed(report: Report, seen: Observer): Promise<Report> {
  if (report.signal !== undefined || !report.cases.some(isFailing)) return report;
  try {
    const { profile } = report;
    const recalls = new Map(
      report.cases.flatMap(({ id, recall }) => (recall ? [[id, recall]] : [])),
    );
    const found = await diagnose({ observed: seen.observed(), profile, zoo: wholeZoo, recalls });
    return found === null ? report : { ...report, diagnosis: found };
  } catch (error) {
    process.stderr.write(`xattn: no diagnosis was made: ${fileSentence(error)}\n`);
    return report;
  }
}
