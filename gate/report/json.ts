/**
 * The report as JSON, schema 1. NaN and the infinities are the texts "NaN", "Infinity" and
 * "-Infinity"; every other number is a JSON number. A case judged in a sample has "sample", and the
 * summary then counts such cases as "sampled".
 * @module
 */
import { type Report, sampledCount } from '../report.ts';

const speakable = (_key: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;

export function jsonReport({ candidate, profile, summary, cases }: Report): string {
  const reported = cases.map(({ id, verdict: { verdict, reason, outputs, sample } }) => ({
    id,
    verdict,
    reason,
    outputs,
    ...(sample === undefined ? {} : { sample }),
  }));
  const sampled = sampledCount(cases);
  const counts = sampled === 0 ? summary : { ...summary, sampled };
  const report = { schema: 1, candidate, profile: profile.name, summary: counts, cases: reported };
  return `${JSON.stringify(report, speakable, 2)}\n`;
}
