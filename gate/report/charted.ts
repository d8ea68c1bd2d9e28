/**
 * Which failing cases a page has pictures of, and those: the smallest, since they are the ones to look
 * at first.
 * @module
 */
import { statSync } from 'node:fs';
import path from 'node:path';
import type { Profile } from '../../reference/bounds/lemmas/profile.ts';
import { fileSentence } from '../file-errors.ts';
import type { ReportedCase } from '../report.ts';
import type { CaseChart } from './chart.ts';
import { caseChart } from './charts.ts';

/** Some hundred kilobytes each, and well under a second. */
const CHARTED = 8;

export interface Charted {
  readonly reported: ReportedCase;
  readonly chart: CaseChart | null;
  /** Why there are no pictures. */
  readonly why: string;
}

/** Bytes of its inputs; a case that is not there comes last. */
function sizeOf(folder: string): number {
  const file = path.join(folder, 'inputs.safetensors');
  return statSync(file, { throwIfNoEntry: false })?.size ?? Number.POSITIVE_INFINITY;
}

const compared = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);

const hasNumbers = ({ verdict }: ReportedCase): boolean => Object.keys(verdict.outputs).length > 0;

/** Of a sample there is no map: most of it was not judged. */
function charted(reported: ReportedCase, ofReport: Profile): Charted {
  const { kept, outputsIn, verdict, profile = ofReport } = reported;
  const folder = outputsIn ?? kept;
  if (folder === null) return { reported, chart: null, why: 'the case was not kept' };
  if (verdict.sample !== undefined)
    return { reported, chart: null, why: 'a sample of it was judged' };
  try {
    return { reported, chart: caseChart(folder, verdict, profile), why: '' };
  } catch (error) {
    return { reported, chart: null, why: fileSentence(error) };
  }
}

/**
 * The smallest of the failing cases that have numbers, with their pictures; `named` come first, in their
 * order.
 */
export function chartedCases(
  failing: readonly ReportedCase[],
  profile: Profile,
  named: readonly string[] = [],
): Charted[] {
  const place = (id: string): number => (named.includes(id) ? named.indexOf(id) : named.length);
  return failing
    .filter(hasNumbers)
    .map((one) => ({ one, size: sizeOf(one.outputsIn ?? one.kept ?? '') }))
    .sort((a, b) => place(a.one.id) - place(b.one.id) || compared(a.size, b.size))
    .slice(0, CHARTED)
    .map(({ one }) => charted(one, profile));
}
