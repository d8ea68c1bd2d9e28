import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { notPassed, recordedTests } from './ran.ts';
import { ROOT } from './trace.ts';

const ran = [
  { file: 'a.test.ts', title: 'sums > in any order', state: 'passed' },
  { file: 'a.test.ts', title: 'sums > of nothing', state: 'failed' },
  { file: 'b.check.ts', title: 'protocol > sound', state: 'skipped' },
];

describe('a test that trace.json names', () => {
  it('has passed only when it ran and nothing failed', () => {
    expect(notPassed('a.test.ts: in any order', ran)).toBeNull();
    expect(notPassed('a.test.ts: of nothing', ran)).toMatch('1 of 1 failed');
    expect(notPassed('a.test.ts', ran)).toMatch('1 of 2 failed');
    expect(notPassed('a.test.ts: of everything', ran)).toMatch('did not run');
    expect(notPassed('b.check.ts', ran)).toMatch('skipped');
    expect(notPassed('c.check.ts', ran)).toMatch('did not run');
  });
});

describe('a record that npm test left', () => {
  const record = (status: string) =>
    JSON.stringify({
      numTotalTests: 1,
      testResults: [
        {
          name: join(ROOT, 'reference/merge.test.ts'),
          assertionResults: [{ fullName: 'merge is associative', status, title: 'is associative' }],
        },
      ],
    });

  it('counts as what ran', () => {
    const entry = 'reference/merge.test.ts: is associative';
    expect(notPassed(entry, recordedTests(record('passed')))).toBeNull();
    expect(notPassed(entry, recordedTests(record('failed')))).toMatch('1 of 1 failed');
    expect(notPassed(entry, recordedTests(record('skipped')))).toMatch('skipped');
  });

  it('is refused when it is none', () => {
    expect(() => recordedTests('{"testResults": 3}')).toThrow();
    expect(() => recordedTests('')).toThrow();
  });
});
