/**
 * Reports of parts of a suite as one. What could not be one run is refused; what the parts do not
 * cover makes the whole incomplete.
 * @module
 */
import { plusUnlisted, type Report, summaryOf } from '../report.ts';

/** A report, and the file it came from. */
export interface Part {
  readonly file: string;
  readonly report: Report;
}

/** Throws RangeError, with the file, where a part is not of the same candidate and profile. */
function checkAlike(first: Part, parts: readonly Part[]): void {
  for (const { file, report } of parts) {
    for (const [what, wanted, got] of [
      ['candidate', first.report.candidate, report.candidate],
      ['profile', first.report.profile.name, report.profile.name],
      ['version', first.report.version, report.version],
    ] as const) {
      if (wanted === got) continue;
      throw new RangeError(`${file} expected the ${what} of ${first.file}, ${wanted}, got ${got}`);
    }
  }
}

function checkApart(parts: readonly Part[]): void {
  const owners = new Map<string, string>();
  for (const { file, report } of parts) {
    for (const { id } of report.cases) {
      const other = owners.get(id);
      if (other !== undefined && other !== file) {
        throw new RangeError(`${file} expected cases that ${other} has not, got ${id} in both`);
      }
      owners.set(id, file);
    }
  }
}

/** Parts of a suite that none of the reports is of. */
function missingShards(parts: readonly Part[]): string[] {
  const counts = new Map<number, Set<number>>();
  for (const { shard } of parts.map(({ report }) => report)) {
    if (shard === undefined) continue;
    counts.set(shard.count, (counts.get(shard.count) ?? new Set()).add(shard.index));
  }
  return [...counts].flatMap(([count, there]) =>
    Array.from({ length: count }, (_, n) => n + 1)
      .filter((index) => !there.has(index))
      .map((index) => `${index}/${count}`),
  );
}

const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** What was asked, without the part and the seed, which are said apart. */
const askedIn = ({ asked }: Report): string => asked.replace(/, (?:shard \d+\/\d+|seed \d+)/g, '');

function openOf(parts: readonly Part[]): string | undefined {
  const missing = missingShards(parts);
  const sentences = parts.flatMap(({ file, report: { incomplete } }) =>
    incomplete === undefined ? [] : [`${file}: ${incomplete}`],
  );
  if (missing.length > 0) sentences.push(`no report of the shards ${missing.join(', ')}`);
  return sentences.length === 0 ? undefined : sentences.join('; ');
}

function notesOf(parts: readonly Part[]): string[] {
  const reports = parts.map(({ report }) => report);
  const seeds = distinct(reports.map(({ seed }) => seed));
  return [
    ...distinct(reports.flatMap(({ note }) => note ?? [])),
    ...(seeds.length > 1
      ? [`the parts have other seeds: ${seeds.map((n) => n ?? 'none').join(', ')}`]
      : []),
    ...(reports.some(({ diagnosis }) => diagnosis !== undefined)
      ? ['what the parts’ diagnoses say holds of each part alone: see their reports']
      : []),
  ];
}

/** One report of all parts, in the order of their shards. A single part stays as it is. */
export function mergeReports(given: readonly Part[]): Report {
  const parts = [...given].sort(
    (a, b) => (a.report.shard?.index ?? 0) - (b.report.shard?.index ?? 0),
  );
  const [first, ...rest] = parts;
  if (first === undefined) throw new RangeError('"FILES" expected reports, got none');
  checkAlike(first, rest);
  checkApart(parts);
  const reports = parts.map(({ report }) => report);
  const incomplete = openOf(parts);
  const open = incomplete === undefined ? {} : { incomplete };
  if (rest.length === 0) {
    const { incomplete: _, ...whole } = first.report;
    return { ...whole, ...open };
  }
  const cases = reports.flatMap((report) => report.cases);
  const seeds = distinct(reports.map(({ seed }) => seed));
  const [required, notes] = [
    distinct(reports.flatMap((one) => one.required ?? [])),
    notesOf(parts),
  ];
  const unlisted = reports.reduce(
    (sum, { unlisted: more = { pass: 0, skip: 0 } }) => ({
      ...{ pass: sum.pass + more.pass, skip: sum.skip + more.skip },
    }),
    { pass: 0, skip: 0 },
  );
  return {
    ...{ version: first.report.version, candidate: first.report.candidate },
    ...{ profile: first.report.profile, asked: distinct(reports.map(askedIn)).join('; ') },
    ...(seeds.length === 1 && seeds[0] !== undefined ? { seed: seeds[0] } : {}),
    ...(required.length === 0 ? {} : { required }),
    ...{ summary: plusUnlisted(summaryOf(cases), unlisted), cases },
    ...(unlisted.pass + unlisted.skip === 0 ? {} : { unlisted }),
    ...(reports.every(({ silent }) => silent) ? { silent: true } : {}),
    ...(notes.length === 0 ? {} : { note: notes.join('; ') }),
    ...open,
    seconds: reports.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}
