import { describe, expect, it } from 'vitest';
import type { Dealt } from '../gpu/dealt.ts';
import { PROFILES } from '../reference/bounds/lemmas/profile.ts';
import type { Verdict } from '../reference/verdict/judge.ts';
import { jsonReport } from './report/json.ts';
import { junitReport } from './report/junit.ts';
import { claimLine, summaryLine, textReport } from './report/text.ts';
import { exitStatus, type Report, type ReportedCase, summaryOf } from './report.ts';

function reported(id: string, verdict: Verdict, more: Partial<ReportedCase> = {}): ReportedCase {
  const asked = verdict.verdict !== 'skip';
  return {
    id,
    shows: null,
    words: ['forward', 'f32'],
    asked,
    verdict,
    kept: null,
    log: [],
    seconds: 0.25,
    replay: null,
    ...more,
  };
}

const finding = (max_bound_fraction: number, expected: number, got: number) => ({
  max_ulp: max_bound_fraction * 10,
  max_bound_fraction,
  worst_index: [0, 1, 2, 3],
  expected,
  got,
});

const CASES: ReportedCase[] = [
  reported('core/plain', {
    verdict: 'pass',
    reason: 'within the bounds',
    outputs: { out: finding(0.25, 1, 1) },
  }),
  reported(
    'probe/phantom-key',
    {
      verdict: 'impossible',
      reason: 'out[0, 1, 2, 3]: expected 0.5, got 0.25, 1.23e+4 times the bound off',
      outputs: { lse: finding(0.5, 2, 2), out: finding(12345.678, 0.5, 0.25) },
    },
    {
      shows: 'a phantom key of score 0',
      kept: 'out/probe/phantom-key',
      replay: "xattn replay out/probe/phantom-key --candidate 'python3 a.py'",
    },
  ),
  reported('core/nan', {
    verdict: 'impossible',
    reason: 'out[0, 1, 2, 3]: expected -0, got NaN, no bound allows it',
    outputs: {
      d_q: finding(2, 1, 3),
      out: {
        ...finding(Number.POSITIVE_INFINITY, -0, Number.NaN),
        max_ulp: Number.POSITIVE_INFINITY,
      },
      lse: finding(0, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY),
    },
  }),
  reported(
    'core/crash',
    { verdict: 'broken', reason: 'it was ended by SIGSEGV before it answered', outputs: {} },
    { log: ['Segmentation <fault> & \u0001more'], replay: 'xattn replay out/core/crash' },
  ),
  reported('core/wide', { verdict: 'skip', reason: 'needs f64', outputs: {} }),
  reported('core/wider', { verdict: 'skip', reason: 'needs f64', outputs: {} }),
  reported('core/odd', { verdict: 'skip', reason: 'needs gqa sink', outputs: {} }),
];

const REPORT: Report = {
  version: '0.1.0',
  candidate: 'my "kernel"',
  profile: PROFILES.f32,
  asked: 'suite core, f32 inputs, direction both, seed 1',
  summary: summaryOf(CASES),
  cases: CASES,
  seconds: 1.75,
};

describe('on how many ranks cases ran', () => {
  const fine: Verdict = { verdict: 'pass', reason: 'within the bounds', outputs: {} };
  const ran = (...list: readonly Dealt[]): Report => {
    const cases = list.map((dealt, n) => reported(`case-${n}`, fine, { dealt }));
    return { ...REPORT, cases, summary: summaryOf(cases) };
  };
  const some = ran(
    { given: 1, ran: 1 },
    { given: 3, ran: 1 },
    { given: 3, ran: 2 },
    { given: 2, ran: 2 },
  );

  it('is told where it is fewer than dealt', () => {
    expect(summaryLine(some)).toBe(
      '4 cases judged: 4 pass, 0 fail, 0 broken; 0 skipped; ran on fewer ranks than dealt, ' +
        'since heads do not come out even: 2 of 3; on one rank: 1',
    );
    expect(textReport(some)).toContain(
      '\ncases by the ranks that they ran on: 1 rank 2, 2 ranks 2\n',
    );
    expect(textReport(ran({ given: 2, ran: 2 }))).not.toMatch(/ran on/);
    const grids = ran({ given: 4, ran: 4, group: 2 }, { given: 3, ran: 3, group: 1 });
    expect(summaryLine(grids)).toMatch(
      /; ran as LV-XAttn's ring alone, since ranks and heads give no grid: 1 of 2$/,
    );
  });

  it('is told where it was dealt anew', () => {
    const anew = ran({ given: 1, ran: 4, anew: true }, { given: 4, ran: 4 });
    expect(summaryLine(anew)).toMatch(/; dealt anew over ranks that the candidate has: 1$/);
    expect(textReport(anew)).toContain('\ncases by the ranks that they ran on: 4 ranks 2\n');
    const { summary, cases } = JSON.parse(jsonReport(anew));
    expect(summary.ranks).toMatchObject({ ran_on: { 4: 2 }, anew: 1, several: 1, fewer: 0 });
    expect(cases[0].ranks).toEqual({ given: 1, ran: 4, anew: true });
  });

  it('is in the JSON report, a case and in all', () => {
    const { summary, cases } = JSON.parse(jsonReport(some));
    expect(summary.ranks).toEqual({ ran_on: { 1: 2, 2: 2 }, several: 3, fewer: 2, one: 1 });
    expect(cases[1].ranks).toEqual({ given: 3, ran: 1 });
    const grid = ran({ given: 4, ran: 4, group: 2 });
    expect(JSON.parse(jsonReport(grid)).summary.ranks).toMatchObject({ ungrouped: 0 });
    expect(JSON.parse(jsonReport(REPORT)).summary).not.toHaveProperty('ranks');
  });
});

describe('a report', () => {
  it('counts every case once', () => {
    expect(REPORT.summary).toEqual({ pass: 1, fail: 2, skip: 3, broken: 1 });
    expect(summaryLine(REPORT)).toBe(
      '4 cases judged: 1 pass, 2 fail, 1 broken; 3 skipped (needs f64: 2; needs gqa sink: 1)',
    );
  });

  it('says of how many elements a pass says nothing', () => {
    const passing = (id: string, elements: number) =>
      reported(id, {
        verdict: 'pass',
        reason: `within the bounds; ${elements} elements have no finite bound (out[0, 0, 0, 0] …), not judged`,
        outputs: {},
        open: { elements, of: 84 },
      });
    const of = (...cases: ReportedCase[]): Report => ({
      ...REPORT,
      cases,
      summary: summaryOf(cases),
    });
    expect(textReport(of(passing('a', 45)))).toContain(
      'not judged: 45 of the 84 elements of 1 passing case: within the bounds; 45 elements have no',
    );
    expect(textReport(of(passing('a', 45), passing('b', 3)))).toContain(
      'not judged: 48 of the 168 elements of 2 passing cases: they may overflow on the way',
    );
    expect(JSON.parse(jsonReport(of(passing('a', 45)))).cases[0].open).toEqual({
      elements: 45,
      of: 84,
    });
    expect(textReport(REPORT)).not.toContain('not judged');
  });

  it('stands for an exit status', () => {
    const none = { pass: 0, fail: 0, skip: 0, broken: 0 };
    expect(exitStatus({ ...none, pass: 3, skip: 1 })).toBe(0);
    expect(exitStatus({ ...none, fail: 1, broken: 1 })).toBe(1);
    expect(exitStatus({ ...none, pass: 5, broken: 1 })).toBe(3);
    expect(summaryOf([CASES[1]!])).toEqual({ ...none, fail: 1 });
    const improbable = reported('x', { verdict: 'improbable', reason: '', outputs: {} });
    expect(summaryOf([improbable])).toEqual({ ...none, fail: 1 });
  });

  it('as text', () => {
    expect(textReport(REPORT)).toMatchInlineSnapshot(`
      "impossible probe/phantom-key: out[0, 1, 2, 3]: expected 0.5, got 0.25, 1.23e+4 times the bound off
          this case shows: a phantom key of score 0
          xattn replay out/probe/phantom-key --candidate 'python3 a.py'
      impossible core/nan: out[0, 1, 2, 3]: expected -0, got NaN, no bound allows it
          d_q[0, 1, 2, 3]: expected 1, got 3 (20 ULP, 2 times the bound off)
      broken core/crash: it was ended by SIGSEGV before it answered
          candidate: Segmentation <fault> & more
          xattn replay out/core/crash
      skipped 2, needs f64
      skipped 1, needs gqa sink
      my "kernel", judged as f32: suite core, f32 inputs, direction both, seed 1
      of 4 cases that it claims, 3 (75 %) answered and compared
      4 cases judged: 1 pass, 2 fail, 1 broken; 3 skipped (needs f64: 2; needs gqa sink: 1)
      "
    `);
  });

  it('as text, names together what was not asked for one reason', () => {
    const reason = 'it exited with status 1 before it said hello';
    const verdict: Verdict = { verdict: 'broken', reason, outputs: {} };
    const log = ['ModuleNotFoundError: numpy'];
    const cases = ['a', 'b'].map((id) => reported(id, verdict, { asked: false, log }));
    const text = textReport({ ...REPORT, cases, summary: summaryOf(cases) });
    expect(text.split('\n').slice(0, 4)).toEqual([
      `broken 2 not asked, ${reason}:`,
      '    candidate: ModuleNotFoundError: numpy',
      '    a',
      '    b',
    ]);
  });

  it('as text, says what else there is to say of the whole', () => {
    expect(textReport({ ...REPORT, note: 'not asked again alone: 3' })).toMatch(
      /^not asked again alone: 3$/m,
    );
  });

  it('as text, says where nothing is claimed, or nobody said what is', () => {
    const skipped = { ...REPORT, cases: CASES.slice(-3) };
    expect(claimLine(skipped)).toBe('of these cases it claims none');
    expect(claimLine({ ...REPORT, silent: true })).toBe('it never said what it claims');
  });

  it('as text, has colours only when asked', () => {
    const colour = '\u001b[';
    expect(textReport(REPORT, false)).not.toContain(colour);
    expect(textReport(REPORT, true)).toContain(colour);
  });

  it('as JSON', () => {
    const { cases, ...heading } = JSON.parse(jsonReport(REPORT));
    expect(JSON.stringify(heading)).toBe(
      '{"schema":1,"version":"0.1.0","candidate":"my \\"kernel\\"","profile":"f32",' +
        '"asked":"suite core, f32 inputs, direction both, seed 1","seconds":1.75,' +
        '"summary":{"pass":1,"fail":2,"skip":3,"broken":1,"claimed":4,"compared":3,"declined":0}}',
    );
    const about = { words: ['forward', 'f32'], asked: true, shows: null, kept: null };
    const rest = { ...about, replay: null, log: [], seconds: 0.25 };
    const at = { worst_index: [0, 1, 2, 3] };
    const plain = { max_ulp: 2.5, max_bound_fraction: 0.25, ...at, expected: 1, got: 1 };
    const pass = { verdict: 'pass', reason: 'within the bounds' };
    expect(cases[0]).toEqual({ id: 'core/plain', ...pass, outputs: { out: plain }, ...rest });
    expect(cases[1]).toMatchObject({
      shows: 'a phantom key of score 0',
      kept: 'out/probe/phantom-key',
      replay: "xattn replay out/probe/phantom-key --candidate 'python3 a.py'",
    });
    const infinite = { max_ulp: 'Infinity', max_bound_fraction: 'Infinity', ...at };
    expect(cases[2].outputs).toEqual({
      d_q: { max_ulp: 20, max_bound_fraction: 2, ...at, expected: 1, got: 3 },
      out: { ...infinite, expected: 0, got: 'NaN' },
      lse: { max_ulp: 0, max_bound_fraction: 0, ...at, expected: '-Infinity', got: '-Infinity' },
    });
    expect(cases[3].log).toEqual(['Segmentation <fault> & \u0001more']);
    expect(cases.slice(4).map(({ reason }: { reason: string }) => reason)).toEqual([
      ...['needs f64', 'needs f64', 'needs gqa sink'],
    ]);
  });

  it('as JUnit XML', () => {
    expect(junitReport(REPORT)).toMatchInlineSnapshot(`
      "<?xml version="1.0" encoding="UTF-8"?>
      <testsuites name="xattn gate" tests="7" failures="2" errors="1" skipped="3" time="1.750">
        <testsuite name="my &quot;kernel&quot; (f32)" tests="7" failures="2" errors="1" skipped="3" time="1.750">
          <testcase classname="core" name="plain" time="0.250"/>
          <testcase classname="probe" name="phantom-key" time="0.250">
            <failure message="out[0, 1, 2, 3]: expected 0.5, got 0.25, 1.23e+4 times the bound off" type="impossible">this case shows: a phantom key of score 0
      xattn replay out/probe/phantom-key --candidate 'python3 a.py'</failure>
          </testcase>
          <testcase classname="core" name="nan" time="0.250">
            <failure message="out[0, 1, 2, 3]: expected -0, got NaN, no bound allows it" type="impossible">d_q[0, 1, 2, 3]: expected 1, got 3 (20 ULP, 2 times the bound off)</failure>
          </testcase>
          <testcase classname="core" name="crash" time="0.250">
            <error message="it was ended by SIGSEGV before it answered" type="broken">candidate: Segmentation &lt;fault&gt; &amp; �more
      xattn replay out/core/crash</error>
          </testcase>
          <testcase classname="core" name="wide" time="0.250">
            <skipped message="needs f64"/>
          </testcase>
          <testcase classname="core" name="wider" time="0.250">
            <skipped message="needs f64"/>
          </testcase>
          <testcase classname="core" name="odd" time="0.250">
            <skipped message="needs gqa sink"/>
          </testcase>
        </testsuite>
      </testsuites>
      "
    `);
  });
});
