/**
 * The report as JSON, schema 1. NaN and the infinities are the texts "NaN", "Infinity" and
 * "-Infinity"; every other number is a JSON number. Of the cases that the candidate claims
 * ("claimed"), the summary says how many answers were compared and how many it declined. A case judged in a sample has "sample", and the
 * summary then counts such cases as "sampled".
 * @module
 */
import { claimedOf, type Report, sampledCount } from '../report.ts';

const speakable = (_key: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;

export function jsonReport({ candidate, profile, seed, summary, cases }: Report): string {
  const reported = cases.map(({ id, verdict: { verdict, reason, outputs, sample } }) => ({
    id,
    verdict,
    reason,
    outputs,
    ...(sample === undefined ? {} : { sample }),
  }));
  const sampled = sampledCount(cases);
  const claimed = claimedOf(cases);
  const counts = {
    ...summary,
    ...(sampled === 0 ? {} : { sampled }),
    ...{ claimed: claimed.cases, compared: claimed.compared, declined: claimed.declined },
  };
  const drawn = seed === undefined ? {} : { seed };
  const report = {
    schema: 1,
    candidate,
    profile: profile.name,
    ...drawn,
    summary: counts,
    cases: reported,
  };
  return `${JSON.stringify(report, speakable, 2)}\n`;
}
