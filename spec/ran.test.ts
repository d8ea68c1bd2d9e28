import { describe, expect, it } from 'vitest';
import { notPassed } from './ran.ts';

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
