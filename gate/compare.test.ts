/** Reports held against each other, and put together. */
import { describe, expect, it } from 'vitest';
import { PROFILES } from '../reference/bounds/lemmas/profile.ts';
import type { Verdict, VerdictName } from '../reference/verdict/judge.ts';
import { compareReports, comparisonText } from './report/compare.ts';
import { mergeReports } from './report/merge.ts';
import { type Report, type ReportedCase, summaryOf } from './report.ts';

const one = (
  id: string,
  verdict: VerdictName,
  more: Partial<ReportedCase & Pick<Verdict, 'sample'>> = {},
): ReportedCase => {
  const { sample, ...rest } = more;
  const part = sample === undefined ? {} : { sample };
  return {
    ...{ id, shows: null, words: ['f32'], asked: verdict !== 'skip', kept: null, log: [] },
    ...{ seconds: 1, replay: null, ...rest },
    verdict: { verdict, reason: `${verdict} it is`, outputs: {}, ...part },
  };
};

const report = (cases: ReportedCase[], more: Partial<Report> = {}): Report => ({
  ...{ version: '0.1.0', candidate: 'mine', profile: PROFILES.f32, asked: 'suite core, seed 1' },
  ...{ seed: 1, seconds: 2, cases, summary: summaryOf(cases), ...more },
});

const PART = { judged: 1, of: 2 };
const SAMPLE = { rows: PART, keys: PART, elements: PART, not_judged: [] };

describe('two reports', () => {
  const ORDER = ['pass', 'improbable', 'impossible', 'broken'] as const;
  const kind = (a: ReportedCase, b: ReportedCase): string => {
    const { worse, better, same } = compareReports(report([a]), report([b]));
    return [
      ...worse.map(() => 'worse'),
      ...better.map(() => 'better'),
      ...(same ? ['same'] : []),
    ].join();
  };

  it('are held against each other verdict by verdict', () => {
    for (const [n, from] of ORDER.entries()) {
      for (const [m, to] of ORDER.entries()) {
        const expected = n === m ? 'same' : m > n ? 'worse' : 'better';
        expect([from, to, kind(one('a', from), one('a', to))]).toEqual([from, to, expected]);
      }
      expect(kind(one('a', from), one('a', 'skip'))).toBe('worse');
      expect(kind(one('a', 'skip'), one('a', from))).toBe(from === 'pass' ? 'better' : 'worse');
    }
    expect(kind(one('a', 'skip'), one('a', 'skip'))).toBe('same');
  });

  it('are worse where less is judged, with the same verdict', () => {
    const [whole, sampled] = [one('a', 'pass'), one('a', 'pass', { sample: SAMPLE })];
    const less = one('a', 'pass', { notReturned: ['lse'] });
    expect([kind(whole, sampled), kind(sampled, whole)]).toEqual(['worse', 'better']);
    expect([kind(whole, less), kind(less, whole), kind(less, less)]).toEqual([
      ...['worse', 'better', 'same'],
    ]);
    const { worse } = compareReports(report([whole]), report([less]));
    expect(worse).toEqual([{ id: 'a', from: 'pass', to: 'pass', reason: 'no longer judged: lse' }]);
  });

  it('say what is new, gone, and different otherwise', () => {
    const before = report([one('a', 'pass'), one('old', 'impossible'), one('c', 'pass')]);
    const after = report([one('a', 'pass'), one('new', 'broken'), one('c', 'impossible')], {
      ...{ seed: 2, version: '0.2.0', candidate: 'other', incomplete: 'it was interrupted' },
    });
    const text = comparisonText(compareReports(before, after));
    expect(text.split('\n')).toEqual([
      'worse 1',
      '    c  pass → impossible: impossible it is',
      'new 1',
      '    new  broken: broken it is',
      'gone 1',
      '    old  impossible: impossible it is',
      'other candidates: mine, then other; they are compared as they are',
      'other seeds: 1, then 2; a change may come from the numbers drawn',
      'other versions: 0.1.0, then 0.2.0; cases and bounds may have changed',
      'the second report does not speak of every case: it was interrupted',
      '1 worse, 0 better, 1 new, 1 gone, 1 as before; of the new ones 1 fail',
      '',
    ]);
  });

  it('are not compared at different profiles, or without a case in common', () => {
    const wider = report([one('a', 'pass')], { profile: PROFILES.bf16 });
    expect(() => compareReports(report([one('a', 'pass')]), wider)).toThrow(
      /expected verdicts at the profile f32 of the first, got bf16: what another bound allows/,
    );
    expect(() => compareReports(report([one('a', 'pass')]), report([one('b', 'pass')]))).toThrow(
      'the reports expected a case in common, got none: nothing can be compared',
    );
  });
});

describe('reports of shards', () => {
  const part = (index: number, verdict: VerdictName, more: Partial<Report> = {}) => ({
    file: `${index}.json`,
    report: report([one(`case-${index}`, verdict)], {
      ...{ shard: { index, count: 3 }, asked: `suite core, shard ${index}/3, seed 1` },
      ...{ required: ['gqa'], ...more },
    }),
  });

  it('are one report, in the order of the shards', () => {
    const merged = mergeReports([part(3, 'skip'), part(1, 'pass'), part(2, 'impossible')]);
    expect(merged).toMatchObject({ asked: 'suite core', seed: 1, seconds: 6, required: ['gqa'] });
    expect(merged.summary).toEqual({ pass: 1, fail: 1, skip: 1, broken: 0 });
    expect(merged.cases.map(({ id }) => id)).toEqual(['case-1', 'case-2', 'case-3']);
    expect(merged).not.toHaveProperty('incomplete');
    expect(merged).not.toHaveProperty('shard');
  });

  it('are incomplete where one is missing, or is so itself', () => {
    const merged = mergeReports([part(1, 'pass', { incomplete: 'it was killed' })]);
    expect(merged.incomplete).toBe('1.json: it was killed; no report of the shards 2/3, 3/3');
    expect(mergeReports([part(1, 'pass'), part(3, 'pass')]).incomplete).toBe(
      'no report of the shards 2/3',
    );
  });

  it('are refused where they are no parts of one', () => {
    const refused = (more: Partial<Report>) => () =>
      mergeReports([part(1, 'pass'), part(2, 'pass', more)]);
    expect(refused({ candidate: 'other' })).toThrow(
      '2.json expected the candidate of 1.json, mine, got other',
    );
    expect(refused({ profile: PROFILES.bf16 })).toThrow(
      '2.json expected the profile of 1.json, f32, got bf16',
    );
    expect(refused({ version: '9' })).toThrow(
      '2.json expected the version of 1.json, 0.1.0, got 9',
    );
    const twice = { ...part(1, 'pass'), file: 'copy.json' };
    expect(() => mergeReports([part(1, 'pass'), twice])).toThrow(
      'copy.json expected cases that 1.json has not, got case-1 in both',
    );
    expect(mergeReports([part(1, 'pass'), part(2, 'pass', { seed: 8 })]).note).toBe(
      'the parts have other seeds: 1, 8',
    );
  });
});
