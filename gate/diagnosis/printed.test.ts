/** The diagnosis as the text report prints it. */
import { describe, expect, it } from 'vitest';
import { PROFILES } from '../../reference/bounds/lemmas/profile.ts';
import type { Verdict } from '../../reference/verdict/judge.ts';
import { textReport } from '../report/text.ts';
import { type Report, type ReportedCase, summaryOf } from '../report.ts';
import { wrapped } from '../text.ts';

const reported = (id: string, verdict: Verdict): ReportedCase => ({
  ...{ id, shows: null, words: ['forward', 'f32'], asked: verdict.verdict !== 'skip', verdict },
  ...{ kept: null, log: [], seconds: 0, replay: null },
});
const wrong: Verdict = { verdict: 'impossible', reason: 'out[0] is off', outputs: {} };
const skipped: Verdict = { verdict: 'skip', reason: 'needs f64', outputs: {} };
const cases = [
  ...['a', 'b', 'c', 'd', 'e'].map((id) => reported(id, wrong)),
  ...['wide', 'wider'].map((id) => reported(id, skipped)),
];
const report: Report = {
  ...{
    version: '0.1.0',
    candidate: 'mine',
    profile: PROFILES.f32,
    asked: 'suite core',
    seconds: 1,
  },
  ...{ cases, summary: summaryOf(cases) },
  diagnosis: {
    headline: 'Behaves like `x` in all 5 failing cases and 3 passing ones tried: y.',
    ...{ wrong: 5, broken: 0, passing: 3, smallest: ['d', 'b', 'e'], behaviour: null },
    memory: null,
    ...{ traits: null, broken_traits: null, outputs: [] },
  },
};
/** What each line begins with. */
const heads = (text: string): string[] =>
  text.split('\n').map((line) => (line.split(':')[0] ?? '').trim());

describe('a report with a diagnosis, as text', () => {
  it('begins with the headline, within the width, and tells of the three smallest cases', () => {
    const few = heads(textReport(report, false, { width: 40 }));
    expect(few.slice(0, 3)).toEqual([
      'Behaves like `x` in all 5 failing cases',
      'and 3 passing ones tried',
      '',
    ]);
    expect(few.filter((line) => line.startsWith('impossible'))).toEqual([
      'impossible d',
      'impossible b',
      'impossible e',
    ]);
    expect(few).toContain('2 more failing cases');
  });

  it('counts what was skipped, a line each reason, and names all where that is asked for', () => {
    const few = heads(textReport(report));
    expect(few).toContain('skipped 2, needs f64');
    expect(few).not.toContain('wide');
    const all = heads(textReport(report, false, { all: true }));
    expect(all.filter((line) => line.startsWith('impossible')).length).toBe(5);
    expect(all).toContain('wide');
    expect(all).not.toContain('2 more failing cases');
  });

  it('has colours only when asked', () => {
    expect(textReport(report)).not.toContain('\u001b[');
    expect(textReport(report, true).startsWith('\u001b[1mBehaves')).toBe(true);
  });

  it('breaks lines between words alone', () => {
    expect(wrapped('a bb ccc', 4)).toEqual(['a bb', 'ccc']);
    expect(wrapped('a-long-word b', 4)).toEqual(['a-long-word', 'b']);
  });
});
