/**
 * The report as JSON, schema 1. NaN and the infinities are the texts "NaN", "Infinity" and
 * "-Infinity"; every other number is a JSON number. Of the cases that the candidate claims
 * ("claimed", none where it never said), the summary says how many answers were compared and how
 * many it declined. A case of which some elements are not judged has "open", one judged in a sample
 * "sample", and the summary then counts such cases as "sampled". Of the embedded candidate each case
 * has "ranks": how many it is dealt out to ("given"), how many it ran on ("ran"), and under USP the
 * ranks of a "group"; the summary's "ranks" counts cases by the ranks that they ran on ("ran_on"), those
 * dealt out to "several", and of these the ones that ran on "fewer", on "one", or under USP in groups of
 * one rank ("ungrouped"). A report with "incomplete", a
 * sentence, does not speak of every case: the run was interrupted, or was killed, or goes on. Of failing
 * cases "diagnosis" says what they have in common, field by field as in diagnosis/diagnosis.ts.
 * @module
 */
import { claimedOf, dealtCounts, type Report, sampledCount } from '../report.ts';

/** For `JSON.stringify`: what JSON has no number for is a text. */
export const speakable = (_key: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;

export function jsonReport(given: Report): string {
  const { candidate, profile, seed, summary, cases, incomplete, diagnosis } = given;
  const reported = cases.map(
    ({ id, notReturned, differs, dealt, verdict: { verdict, reason, outputs, sample, open } }) => ({
      id,
      verdict,
      reason,
      outputs,
      ...(sample === undefined ? {} : { sample }),
      ...(open === undefined ? {} : { open }),
      ...(differs === undefined ? {} : { differs }),
      ...(notReturned === undefined ? {} : { not_returned: notReturned }),
      ...(dealt === undefined ? {} : { ranks: dealt }),
    }),
  );
  const sampled = sampledCount(cases);
  const claimed = claimedOf(given.silent ? [] : cases);
  const dealt = dealtCounts(cases);
  const ranks = dealt && {
    ...{ ran_on: dealt.ranOn, several: dealt.several, fewer: dealt.fewer, one: dealt.one },
    ...(dealt.ungrouped === null ? {} : { ungrouped: dealt.ungrouped }),
  };
  const counts = {
    ...summary,
    ...(sampled === 0 ? {} : { sampled }),
    ...{ claimed: claimed.cases, compared: claimed.compared, declined: claimed.declined },
    ...(ranks === null ? {} : { ranks }),
  };
  const report = {
    ...{ schema: 1, candidate, profile: profile.name },
    ...(seed === undefined ? {} : { seed }),
    ...(incomplete === undefined ? {} : { incomplete }),
    summary: counts,
    ...(diagnosis === undefined ? {} : { diagnosis }),
    cases: reported,
  };
  return `${JSON.stringify(report, speakable, 2)}\n`;
}
