/**
 * The report as JSON, schema 1 (schema.ts, published as report.schema.json). NaN and the infinities
 * are the texts "NaN", "Infinity" and "-Infinity"; every other number is a JSON number. Of the cases
 * that the candidate claims ("claimed", none where it never said), the summary says how many answers
 * were compared and how many it declined. A case of which some elements are not judged has "open", one judged in a sample
 * "sample", and the summary then counts such cases as "sampled". Of the embedded candidate, and of one that
 * names its world sizes, each case has "ranks": how many it is dealt out to ("given"), how many it ran on
 * ("ran"), whether it was dealt "anew" over those that the candidate has, and under USP the ranks of a "group";
 * the summary's "ranks" counts cases by the ranks that they ran on ("ran_on"), those dealt "anew", those
 * dealt out to "several" as they are, and of these the ones that ran on "fewer", on "one", or under USP in
 * groups of one rank ("ungrouped"). A wrong answer of several ranks has "wrong_ranks": each with the outputs
 * of which its block is wrong. A report with "incomplete", a sentence, does not speak of every case: the run was interrupted, or was killed, or goes on. Of failing
 * cases "diagnosis" says what they have in common, field by field as in diagnosis/diagnosis.ts.
 * @module
 */
import { claimedOf, dealtCounts, type Report, type ReportedCase, sampledCount } from '../report.ts';

/** For `JSON.stringify`: what JSON has no number for is a text. */
export const speakable = (_key: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;

/** Without what is undefined, which JSON leaves out. */
function caseOf(reported: ReportedCase): object {
  const { id, verdict, notReturned, notKept, dealt, differs, declined, recall } = reported;
  const { words, asked, shows, kept, replay, log, seconds } = reported;
  const { verdict: name, reason, outputs, sample, open, wrong_ranks } = verdict;
  return {
    ...{ id, verdict: name, reason, outputs, wrong_ranks, sample, open, differs, declined },
    ...{ recall, not_returned: notReturned, ranks: dealt, words, asked, shows, kept },
    ...{ not_kept: notKept, profile: reported.profile?.name, replay, log, seconds },
  };
}

function summaryOf({ summary, cases, silent, unlisted }: Report): object {
  const sampled = sampledCount(cases);
  const claimed = silent ? claimedOf([]) : claimedOf(cases, unlisted);
  const dealt = dealtCounts(cases);
  const ranks = dealt && {
    ...{ ran_on: dealt.ranOn, several: dealt.several, fewer: dealt.fewer, one: dealt.one },
    ...(dealt.ungrouped === null ? {} : { ungrouped: dealt.ungrouped }),
    ...(dealt.anew === 0 ? {} : { anew: dealt.anew }),
  };
  return {
    ...summary,
    ...(sampled === 0 ? {} : { sampled }),
    ...{ claimed: claimed.cases, compared: claimed.compared, declined: claimed.declined },
    ...(ranks === null ? {} : { ranks }),
  };
}

export function jsonReport(given: Report): string {
  const { version, candidate, profile, asked, seed, shard, required, incomplete, silent } = given;
  const { note, seconds, unlisted, diagnosis } = given;
  const report = {
    ...{ schema: 1, version, candidate, profile: profile.name, asked, seed, shard },
    required: required?.length ? required : undefined,
    ...{ incomplete, silent: silent ? true : undefined, note, seconds, unlisted },
    ...{ summary: summaryOf(given), diagnosis, cases: given.cases.map(caseOf) },
  };
  return `${JSON.stringify(report, speakable, 2)}\n`;
}
