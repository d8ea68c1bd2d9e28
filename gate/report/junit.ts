/**
 * The report as JUnit XML: a failing verdict is a failure, a broken one an error, a skipped one
 * skipped. Characters that XML cannot hold are replaced.
 * @module
 */
import { create } from 'xmlbuilder2';
import { shareSentence } from '../../reference/verdict/judge-sample.ts';
import { type Report, type ReportedCase, summaryOf } from '../report.ts';
import { evidence } from './evidence.ts';

const OUTCOMES = {
  pass: null,
  impossible: 'failure',
  improbable: 'failure',
  broken: 'error',
  skip: 'skipped',
} as const;

/** `core/gqa-3-ranks` → class `core`, name `gqa-3-ranks`: CI systems group by class. */
function nameParts(id: string): [group: string, name: string] {
  const slash = id.indexOf('/');
  return slash < 0 ? ['xattn', id] : [id.slice(0, slash), id.slice(slash + 1)];
}

function testCase(reported: ReportedCase): object {
  const { verdict, reason } = reported.verdict;
  const [group, name] = nameParts(reported.id);
  const outcome = OUTCOMES[verdict];
  const { sample } = reported.verdict;
  const attributes = {
    '@classname': group,
    '@name': sample === undefined ? name : `${name} (${shareSentence(sample)})`,
    '@time': reported.seconds.toFixed(3),
  };
  if (outcome === null) return sample ? { ...attributes, 'system-out': reason } : attributes;
  if (outcome === 'skipped') return { ...attributes, skipped: { '@message': reason } };
  const text = evidence(reported).join('\n');
  return { ...attributes, [outcome]: { '@message': reason, '@type': verdict, '#': text } };
}

/** Cases that pass and are not told one by one: a suite without any would look as if nothing had run. */
function unlistedCase({ unlisted }: Report): object[] {
  if (unlisted === undefined || unlisted.pass === 0) return [];
  return [{ '@classname': 'xattn', '@name': `${unlisted.pass} more cases`, '@time': '0' }];
}

export function junitReport(report: Report): string {
  const { fail, broken, skip } = summaryOf(report.cases);
  const counts = {
    '@tests': report.cases.length + unlistedCase(report).length,
    '@failures': fail,
    '@errors': broken,
    '@skipped': skip,
    '@time': report.seconds.toFixed(3),
  };
  const suite = {
    '@name': `${report.candidate} (${report.profile.name})`,
    ...counts,
    testcase: [...report.cases.map(testCase), ...unlistedCase(report)],
  };
  const root = { testsuites: { '@name': 'xattn gate', ...counts, testsuite: suite } };
  const options = { version: '1.0', encoding: 'UTF-8', invalidCharReplacement: '\ufffd' } as const;
  return `${create(options, root).end({ prettyPrint: true })}\n`;
}
