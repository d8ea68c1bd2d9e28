/** Every command that judges writes reports: replay, judge and fuzz, as files of all kinds. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { readReport } from './report/read.ts';
import { failingReport } from './testing/failing-report.ts';

const CLI = fileURLToPath(new URL('../dist/gate/cli.js', import.meta.url));
const FAKE = fileURLToPath(new URL('./testing/fake-candidate.mjs', import.meta.url));
const root = mkdtempSync(path.join(tmpdir(), 'xattn-commands-'));
const folder = path.join(root, 'planted');
failingReport(root);
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** With a report of each kind: what it printed, the report read back, the page, and JUnit's text. */
function reported(name: string, ...args: string[]) {
  if (!existsSync(CLI)) throw new Error(`${CLI} is missing: npm run build makes it`);
  const [json, html, junit] = ['json', 'html', 'xml'].map((end) =>
    path.join(root, `${name}.${end}`),
  );
  const files = ['--report', `${json}`, '--html', `${html}`, '--junit', `${junit}`];
  const ran = spawnSync(process.execPath, [CLI, ...args, ...files], {
    cwd: root,
    encoding: 'utf8',
  });
  const [page, xml] = [html, junit].map((file) => readFileSync(`${file}`, 'utf8'));
  return { ...ran, report: readReport(`${json}`), page, xml };
}

it('judge: with the line that judges again, and pictures', () => {
  const { status, report, page, xml } = reported('judge', 'judge', folder);
  expect(status).toBe(1);
  const [only] = report.cases;
  expect(only).toMatchObject({ kept: folder, replay: `xattn judge ${folder} --profile f32` });
  expect(page).toContain('4 of 24 elements outside the bound.');
  expect(xml).toContain('<failure');
});

it('replay: of the answer of now, in the folder of the case', () => {
  const wrong = `${process.execPath} ${FAKE} wrong`;
  const args = ['replay', folder, '--candidate', wrong, '--profile', 'bf16'];
  const { status, report, page, stderr } = reported('replay', ...args);
  expect([status, stderr]).toEqual([1, '']);
  const replay = `xattn replay ${folder} --candidate '${wrong}' --profile bf16`;
  expect(report.cases).toMatchObject([{ id: 'test/planted', kept: folder, replay }]);
  expect(report.profile.name).toBe('bf16');
  expect(page).toContain('1 of 24 elements outside the bound.');
  expect(page).toContain('Outside by rank: rank 0 (1 of 16).');
});

it('fuzz: findings one by one, all others by number', () => {
  const wrong = `${process.execPath} ${FAKE} wrong`;
  const args = ['fuzz', '--runs', '8', '--seed', '3', '--out', 'found', '--candidate', wrong];
  const { status, report, page, xml, stdout } = reported('fuzz', ...args, '--github');
  expect(status).toBe(1);
  const [finding] = report.cases;
  expect(report.cases).toHaveLength(1);
  expect(finding).toMatchObject({ kept: `found/${finding?.id}`, asked: true });
  expect(finding?.replay).toBe(`xattn replay found/${finding?.id} --candidate '${wrong}'`);
  const { pass, fail } = report.summary;
  expect(report.unlisted?.pass).toBe(pass);
  expect(fail).toBe(1);
  const failing = Number(/(\d+) of 8 failed/.exec(report.note ?? '')?.[1]);
  expect(failing + pass).toBe(8);
  expect(page).toContain('data-output="out"');
  expect(xml).toContain('<failure');
  expect(stdout).toMatch(/^::error title=fuzz\/out-wrong-/m);
  expect(stdout.indexOf('::stop-commands::')).toBeLessThan(stdout.indexOf('impossible out wrong'));
});
