/**
 * The report as JSON, schema 1. NaN and the infinities are the texts "NaN", "Infinity" and
 * "-Infinity"; every other number is a JSON number.
 * @module
 */
import type { Report } from '../report.ts';

const speakable = (_key: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;

export function jsonReport({ candidate, profile, summary, cases }: Report): string {
  const reported = cases.map(({ id, verdict: { verdict, reason, outputs } }) => ({
    id,
    verdict,
    reason,
    outputs,
  }));
  const report = { schema: 1, candidate, profile, summary, cases: reported };
  return `${JSON.stringify(report, speakable, 2)}\n`;
}
