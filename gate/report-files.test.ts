/** JSON, annotations and the page, as files: read back, validated, and unbreakable by what they quote. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterAll, describe, expect, it } from 'vitest';
import { caseChart } from './report/charts.ts';
import { compareReports } from './report/compare.ts';
import { githubReport, quietly } from './report/github.ts';
import { htmlReport } from './report/html.ts';
import { jsonReport } from './report/json.ts';
import { AT_BOUND, EXACT, fractionOf, mapCode, NOT_ASKED, NOT_FINITE } from './report/map-code.ts';
import { reportIn } from './report/read.ts';
import { publishedSchema } from './report/schema.ts';
import { failingReport, HOSTILE, PLANTED } from './testing/failing-report.ts';

const UNSEEN = ['\u001b', '\u202e', '\r'];
const root = mkdtempSync(join(tmpdir(), 'xattn-report-files-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const report = failingReport(root, 80);
const chart = caseChart(join(root, 'planted'), report.cases[0]!.verdict, report.profile);

describe('the JSON report', () => {
  const text = jsonReport(report);

  it('has a published schema, which it satisfies', async () => {
    // npx vitest run gate/report-files.test.ts -u writes it anew
    await expect(publishedSchema()).toMatchFileSnapshot(
      join(import.meta.dirname, '../fixtures/schema/report.schema.json'),
    );
    const validate = new Ajv().compile(JSON.parse(publishedSchema()));
    expect(validate(JSON.parse(text))).toBe(true);
    const { candidate: _, ...without } = JSON.parse(text);
    expect(validate(without)).toBe(false);
  });

  it('is read back as the value that it was printed from', () => {
    const shard = { index: 2, count: 4 };
    const more = { shard, required: ['gqa'], incomplete: 'so', unlisted: { pass: 0, skip: 0 } };
    for (const one of [report, { ...report, ...more }]) {
      expect(reportIn(jsonReport(one))).toEqual(one);
      expect(jsonReport(reportIn(jsonReport(one)))).toBe(jsonReport(one));
    }
  });

  it.each([
    ['', /^the file expected JSON: /],
    ['[]', /^the file expected a report, a JSON object$/],
    ['{"schema":1,"schema":1}', /expected each name once, got "schema" twice/],
    [text.slice(0, text.length / 2), /^the file expected JSON: /],
    [text.replace('"schema": 1', '"schema": 2'), /^"schema" expected 1, .*, got 2$/],
    [text.replace('"pass": 1', '"pass": 90'), /^"summary.pass" expected 1, .* got 90$/],
    [text.replace('"profile": "f32"', '"profile": "fp32"'), /^"profile" expected one of /],
    [text.replace('"verdict": "pass"', '"verdict": "fine"'), /^"cases.1.verdict" .*got "fine"$/],
  ])('is refused with a sentence where it is broken (%#)', (broken, sentence) => {
    expect(broken).not.toBe(text);
    expect(() => reportIn(broken)).toThrow(sentence);
  });
});

describe('a JSON report of another program', () => {
  const out = {
    max_ulp: 3,
    max_bound_fraction: 'Infinity',
    worst_index: [0],
    expected: 1,
    got: 'NaN',
  };
  const cases = ['f32', '{"base":"bf16"}'].map((profile) => ({
    ...{
      id: 'test_x.py::test_y',
      profile,
      verdict: 'impossible',
      reason: 'it is',
      outputs: { out },
    },
  }));
  const summary = { pass: 0, fail: 2, skip: 0, broken: 0 };
  const given = { schema: 1, candidate: 'pytest', profile: 'bf16 f32', summary, cases };

  it('needs no more than what every report has', () => {
    const read = reportIn(JSON.stringify(given));
    expect(read).toMatchObject({ version: 'unknown', profile: { name: 'bf16 f32' }, summary });
    expect(read.cases[1]).toMatchObject({ profile: { name: 'bf16' }, kept: null, replay: null });
    expect(htmlReport(read, true)).toContain('2 of 2 judged cases are wrong');
    const [first, second] = given.cases;
    const half = { ...given, cases: [first, { ...second, profile: undefined }] };
    expect(() => reportIn(JSON.stringify(half))).toThrow(
      /^"profile" expected one of .*got bf16 f32$/,
    );
  });

  it('is not compared where its cases cannot be told apart', () => {
    const read = reportIn(JSON.stringify(given));
    expect(() => compareReports(read, read)).toThrow(
      '"cases" expected each id once, got test_x.py::test_y twice',
    );
  });
});

describe('annotations', () => {
  it('are lines of GitHub’s own form, ten at most, whatever they quote', () => {
    const lines = githubReport(report).trimEnd().split('\n');
    expect(lines).toHaveLength(11);
    const errors = lines.filter((line) => line.startsWith('::error title='));
    expect(errors).toHaveLength(10);
    expect(errors[0]).toMatch(/^::error title=test\/planted%3A impossible::d_v\[0, 0, 4, 2\]: /);
    expect(errors[9]).toMatch(/^::error title=73 more failing cases::test\/wrong-7%0A/);
    expect(lines.at(-1)).toMatch(/^::notice title=.*::83 cases judged: 1 pass, 81 fail, 1 broken/);
    for (const char of UNSEEN) expect(lines.join('')).not.toContain(char);
  });

  it('come after a text in which no line is obeyed', () => {
    const [first, ...rest] = quietly('::error::x\n').split('\n');
    const token = first?.replace('::stop-commands::', '');
    expect(token).toMatch(/^[0-9a-f-]{36}$/);
    expect(rest).toEqual(['::error::x', `::${token}::`, '']);
  });
});

describe('what a case’s pictures show', () => {
  it('is what was planted, by head, by rank, and in the map', () => {
    const out = chart.outputs.find(({ name }) => name === 'out');
    expect(out?.count).toMatchObject({ of: 24, outside: PLANTED.outside });
    expect(out?.heads.map(({ outside }) => outside)).toEqual([0, 4]);
    expect(out?.ranks.map(({ of, outside }) => [of, outside])).toEqual([
      [16, 0],
      [8, 4],
    ]);
    expect(out?.fractions.counts.reduce((sum, n) => sum + n, 0)).toBe(24);
    const beyond = out?.fractions.counts.slice(out.fractions.outside ?? 99);
    expect(beyond?.reduce((sum, n) => sum + n, 0)).toBe(4);
    const [heads, worst] = out?.maps ?? [];
    expect(heads).toMatchObject({ rows: 2, columns: 3, rowName: 'head', columnName: 'query' });
    expect(worst).toMatchObject({ title: 'batch 0, head 1', rows: 3, columns: 4, step: [1, 1] });
    const codes = [...Buffer.from(worst?.codes ?? '', 'base64')];
    expect(codes.map((code) => code > AT_BOUND)).toEqual(
      codes.map((_, n) => Math.floor(n / 4) === PLANTED.row),
    );
  });

  it('is furthest off where the judge says so', () => {
    const { outputs } = report.cases[0]!.verdict;
    for (const { name, worst } of chart.outputs) {
      const { worst_index, max_bound_fraction } = outputs[name]!;
      if (worst.length > 0) {
        expect([name, worst[0]?.index, worst[0]?.fraction]).toEqual([
          ...[name, worst_index, max_bound_fraction],
        ]);
      }
    }
    expect(chart.outputs.find(({ name }) => name === 'd_v')?.worst[0]?.index).toEqual(PLANTED.nan);
  });

  it('is a byte on the right side of the bound', () => {
    expect([Number.NaN, 0, Number.POSITIVE_INFINITY].map(mapCode)).toEqual([
      ...[NOT_ASKED, EXACT, NOT_FINITE],
    ]);
    expect(mapCode(1)).toBe(AT_BOUND);
    expect(mapCode(1 + 2 ** -52)).toBe(AT_BOUND + 1);
    for (const fraction of [1e-300, 1e-3, 0.3, 7, 1e4, 1e300]) {
      const code = mapCode(fraction);
      expect(code > AT_BOUND).toBe(fraction > 1);
      const [least, most] = [2, NOT_FINITE - 1].map(fractionOf);
      const seen = Math.min(most!, Math.max(least!, fraction));
      expect(Math.abs(Math.log2(fractionOf(code) / seen))).toBeLessThan(1 / 16 + 1e-9);
    }
  });
});

describe('the page', () => {
  const page = htmlReport(report, true);

  it('quotes what is hostile as text', () => {
    expect(HOSTILE).toContain('</script>');
    const scripts = page.split('</script>').length - 1;
    expect(scripts).toBe(2);
    expect(page.split('<img').length - 1).toBe(0);
    for (const char of UNSEEN) expect(page).not.toContain(char);
    const head = page.slice(0, page.indexOf('<style>'));
    expect(head).toContain('&lt;/script&gt;&lt;img src=x onerror=&quot;');
  });

  it('stays small, and says what it leaves out', () => {
    const large = htmlReport(failingReport(root, 4000), true);
    expect(large.length).toBeLessThan(4e6);
    expect(large).toMatch(/3942 more failing cases are not told one by one/);
    expect(large).toMatch(/1004 more cases are not listed/);
    expect(page).toMatch(/22 more failing cases are not told/);
  });

  it('has no pictures while the run goes on, and says why a case has none', () => {
    const cases = report.cases.map((one) => ({ ...one, kept: null }));
    expect(htmlReport({ ...report, cases }, true)).toContain('No pictures: the case was not kept.');
    expect(htmlReport(report, false)).not.toContain('data-output');
    const [first, ...rest] = report.cases;
    const { verdict } = first!;
    const out = { ...verdict.outputs.out!, max_bound_fraction: 7 };
    const other = { ...first!, verdict: { ...verdict, outputs: { ...verdict.outputs, out } } };
    expect(htmlReport({ ...report, cases: [other, ...rest] }, true)).toMatch(
      /No pictures: .*planted holds another case or another answer by now\./,
    );
  });
});
