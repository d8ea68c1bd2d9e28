/**
 * A JSON report read back: the value that it was printed from. Files may come from anywhere, so they
 * are checked against the schema, and what is wrong is a sentence with the file's name.
 * @module
 */
import { readFileSync, statSync } from 'node:fs';
import { PROFILES, type Profile } from '../../reference/bounds/lemmas/profile.ts';
import {
  isProfileText,
  PROFILE_SYNTAX,
  profileFrom,
} from '../../reference/bounds/lemmas/profile-options.ts';
import { parseStrictly } from '../../reference/files/strict-json.ts';
import type { Verdict } from '../../reference/verdict/judge.ts';
import { profileSchema } from '../profile-schema.ts';
import { complaint } from '../protocol.ts';
import { plusUnlisted, type Report, type ReportedCase, summaryOf } from '../report.ts';
import { type JsonCase, type JsonReport, reportSchema } from './schema.ts';

/** A million cases are some 500 MB. */
const BYTES_MAX = 2 ** 28;

/** Without what is undefined: an absent field is absent. */
function present<T extends object>(value: T): T {
  const entries = Object.entries(value).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries) as T;
}

const number = (value: number | string): number => Number(value);

function verdictOf(given: JsonCase): Verdict {
  const { verdict, reason, outputs, sample, open, wrong_ranks } = given;
  const found = Object.entries(outputs).map(([name, one]) => [
    name,
    {
      max_ulp: one.max_ulp === null ? null : number(one.max_ulp),
      max_bound_fraction: number(one.max_bound_fraction),
      worst_index: one.worst_index,
      expected: number(one.expected),
      got: number(one.got),
    },
  ]);
  return present({
    ...{ verdict, reason, outputs: Object.fromEntries(found), sample, open, wrong_ranks },
  }) as Verdict;
}

function caseOf(given: JsonCase): ReportedCase {
  const { id, words, asked, shows, kept, replay, log, seconds, declined, differs } = given;
  const profile = given.profile === undefined ? undefined : checkedProfile(given.profile);
  const { not_returned: notReturned, not_kept: notKept, ranks: dealt } = given;
  return present({
    ...{ id, shows, words, asked, declined, notReturned, dealt, verdict: verdictOf(given) },
    ...{ profile, kept, notKept, differs, log, seconds, replay },
  }) as ReportedCase;
}

function jsonIn(text: string): unknown {
  try {
    return parseStrictly(text, '"profile"');
  } catch {
    return text;
  }
}

function checkedProfile(text: string): Profile {
  // An object of named roundings stands as its JSON.
  const checked = profileSchema.safeParse(text.startsWith('{') ? jsonIn(text) : text);
  if (checked.success) return profileFrom(checked.data);
  throw new RangeError(`"profile" expected ${PROFILE_SYNTAX}, got ${text}`);
}

/** Of a report whose cases each have their own, its profile is but what is said of the whole. */
function profileOf(text: string, cases: readonly ReportedCase[]): Profile {
  if (isProfileText(text) || cases.some(({ profile }) => profile === undefined)) {
    return checkedProfile(text);
  }
  return { ...PROFILES.f32, name: text };
}

function reportValue(given: JsonReport): Report {
  const { version, candidate, profile, asked, seed, shard, required, incomplete, silent } = given;
  const cases = given.cases.map(caseOf);
  const { unlisted = { pass: 0, skip: 0 }, note, seconds } = given;
  const summary = plusUnlisted(summaryOf(cases), unlisted);
  for (const name of ['pass', 'fail', 'skip', 'broken'] as const) {
    if (summary[name] === given.summary[name]) continue;
    throw new RangeError(
      `"summary.${name}" expected ${summary[name]}, as many as the cases have, got ${given.summary[name]}`,
    );
  }
  return present({
    ...{ version, candidate, profile: profileOf(profile, cases), asked, seed, shard, required },
    ...{ incomplete, silent, note, seconds, unlisted: given.unlisted },
    ...{ summary, diagnosis: given.diagnosis, cases },
  }) as Report;
}

/** The report in a text. Throws RangeError with a sentence about what is wrong. */
export function reportIn(text: string): Report {
  let value: unknown;
  try {
    value = parseStrictly(text, 'the file');
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new RangeError(`the file expected JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RangeError('the file expected a report, a JSON object');
  }
  const checked = reportSchema.safeParse(value);
  if (!checked.success) throw new RangeError(complaint({ ...value }, checked.error));
  return reportValue(checked.data);
}

/** Throws RangeError where cases cannot be told apart: a test that judges twice, say. */
export function checkDistinct({ cases }: Report): void {
  const ids = new Set<string>();
  for (const { id } of cases) {
    if (ids.has(id)) throw new RangeError(`"cases" expected each id once, got ${id} twice`);
    ids.add(id);
  }
}

/** The report in a file. Throws RangeError that names the file. */
export function readReport(file: string): Report {
  const found = statSync(file);
  if (!found.isFile()) throw new RangeError(`${file} expected a file, the JSON report of a run`);
  if (found.size > BYTES_MAX) {
    throw new RangeError(`${file} expected at most ${BYTES_MAX} bytes, got ${found.size}`);
  }
  try {
    return reportIn(readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof RangeError) throw new RangeError(`${file}: ${error.message}`);
    throw error;
  }
}
