import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWithTools } from '../spec/tools.ts';

const CLI = fileURLToPath(new URL('../dist/gate/cli.js', import.meta.url));
const FAKE = fileURLToPath(new URL('./testing/fake-candidate.mjs', import.meta.url));
let root = '';

beforeAll(() => {
  if (!existsSync(CLI)) throw new Error(`${CLI} is missing: npm run build makes it`);
  root = mkdtempSync(path.join(tmpdir(), 'xattn-reports-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A candidate that is right; `hangs-later`: for five cases. */
const fake = (...args: string[]): string => [process.execPath, FAKE, ...args].join(' ');

interface Json {
  incomplete?: string;
  summary: { pass: number; fail: number; skip: number; broken: number };
  cases: { id: string; verdict: string; reason: string }[];
}

const at = (name: string): string => path.join(root, name);
const json = (file: string): Json => JSON.parse(readFileSync(file, 'utf8')) as Json;
const judged = ({ summary }: Json): number => summary.pass + summary.fail + summary.broken;

/** `xattn` in `root`; what stands before and after it in the command line of a shell. */
function xattn(args: string[], { before = 'exec', after = '' } = {}) {
  const words = [process.execPath, CLI, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('/bin/bash', ['-c', `${before} ${words} ${after}`], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    said.stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    said.stderr += text;
  });
  const ended = new Promise<typeof said & { status: number | null; signal: string | null }>(
    (resolve) => child.on('close', (status, signal) => resolve({ ...said, status, signal })),
  );
  return { child, ended };
}

/** Wait until the file says something that satisfies. */
async function until(file: string, satisfies: (report: Json) => boolean): Promise<void> {
  for (let n = 0; n < 1200; n++) {
    if (existsSync(file) && satisfies(json(file))) return;
    await sleep(50);
  }
  throw new Error(`${file} never said so`);
}

/** Seven cases. */
const HANGING = ['gate', '--only', 'smoke/basic*', '--candidate'];

describe('a run that is interrupted', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s: reports what was judged, and what was not reached', async (signal, expected) => {
    const [report, junit] = [at(`${signal}.json`), at(`${signal}.xml`)];
    const files = ['--report', report, '--junit', junit, '--out', at(signal)];
    const { child, ended } = xattn([...HANGING, fake('hangs-later'), ...files]);
    await until(report, (so) => judged(so) === 5);
    child.kill(signal);
    const { status, stdout } = await ended;
    expect(status).toBe(expected);
    const { cases, summary, incomplete } = json(report);
    expect(incomplete).toBe('the run was interrupted');
    expect(summary).toMatchObject({ pass: 5, fail: 0, broken: 0, skip: cases.length - 5 });
    expect(cases.filter(({ reason }) => reason === incomplete)).toHaveLength(summary.skip);
    expect(stdout).toMatch(new RegExp(`not reached ${summary.skip}: the run was interrupted`));
    expect(stdout).toMatch(/5 cases judged: 5 pass, 0 fail, 0 broken/);
    expect(readFileSync(junit, 'utf8')).toMatch(/<\/testsuites>\n$/);
    expect(existsSync(at(signal))).toBe(false);
  });

  it('SIGKILL: the files are whole, and say what was judged', async () => {
    const [report, junit] = [at('kill.json'), at('kill.xml')];
    const files = ['--report', report, '--junit', junit];
    const { child, ended } = xattn([...HANGING, fake('hangs-later'), ...files]);
    await until(report, (so) => judged(so) === 5);
    child.kill('SIGKILL');
    expect((await ended).signal).toBe('SIGKILL');
    expect(json(report).incomplete).toBe('the run has not come to its end');
    expect(judged(json(report))).toBe(5);
    expect(readFileSync(junit, 'utf8')).toMatch(/<\/testsuites>\n$/);
  });

  it('twice: ends at once, and the files are whole', async () => {
    const report = at('twice.json');
    const { child, ended } = xattn([...HANGING, fake('hangs-later'), '--report', report]);
    await until(report, (so) => judged(so) === 5);
    child.kill('SIGINT');
    child.kill('SIGTERM');
    expect([130, 143]).toContain((await ended).status);
    expect(judged(json(report))).toBe(5);
  });

  it('before the candidate says hello: nothing was reached', async () => {
    const [report, junit, html] = [at('early.json'), at('early.xml'), at('early.html')];
    const files = ['--report', report, '--junit', junit, '--html', html];
    const { child, ended } = xattn([...HANGING, 'sleep 300', ...files]);
    // As early as can be: the other two may not be written yet.
    while (!existsSync(report)) await sleep(1);
    child.kill('SIGINT');
    expect((await ended).status).toBe(130);
    expect(json(report).summary).toMatchObject({ pass: 0, fail: 0, broken: 0 });
    expect(readFileSync(junit, 'utf8')).toMatch(/<\/testsuites>\n$/);
    expect(readFileSync(html, 'utf8')).toContain('</html>');
  });
});

describe('a disk that is full', () => {
  it('leaves the earlier report whole, and is said; it is no pass', async () => {
    // A folder of its own: a run that was killed while it wrote may have left its unfinished file.
    const folder = mkdtempSync(at('full-'));
    const report = path.join(folder, 'full.json');
    writeFileSync(report, '{"earlier": true}\n');
    const gate = ['gate', '--only', 'smoke/basic*', '--candidate', fake(), '--report', report];
    const { status, stderr } = await xattn(gate, { before: "trap '' XFSZ; ulimit -f 0; exec" })
      .ended;
    expect(stderr).toMatch(/full.json: it would be larger than files may be here\n$/);
    expect(status).toBe(2);
    expect(readFileSync(report, 'utf8')).toBe('{"earlier": true}\n');
    expect(readdirSync(folder)).toEqual(['full.json']);
  });

  it('is said of a device, after the verdicts; it is no pass', async () => {
    const gate = ['gate', '--only', 'smoke/basic*', '--candidate', fake()];
    const { status, stdout, stderr } = await xattn([...gate, '--report', '/dev/full']).ended;
    expect(stdout).toMatch(/cases? judged: \d+ pass/);
    expect(stderr).toMatch(/the report was not written: \/dev\/full: the disk is full/);
    expect(status).toBe(2);
  });

  it('is said of standard output; it is no pass', async () => {
    const gate = ['gate', '--only', 'smoke/basic*', '--candidate', fake()];
    const { status, stderr } = await xattn(gate, { before: 'exec 1>/dev/full; exec' }).ended;
    expect(stderr).toMatch(/standard output: .*the disk is full/);
    expect(status).toBe(2);
  });
});

describeWithTools('a disk that fills while the run goes on', ['bwrap'], () => {
  it('leaves room for what was judged', async () => {
    const folder = mkdtempSync(at('small-'));
    const fill = `cat /dev/zero > ${folder}/filler 2>/dev/null; exec ${fake('wrong')}`;
    const files = ['--report', `${folder}/r.json`, '--junit', `${folder}/r.xml`, '--out', folder];
    const disk = `bwrap --dev-bind / / --size ${4 << 20} --tmpfs ${folder} bash -c '"$@"; status=$?
      cp ${folder}/r.json ${at('small.json')}; cp ${folder}/r.xml ${at('small.xml')}
      ls -A ${folder} > ${at('small.txt')}; exit $status' --`;
    const gate = ['gate', '--only', 'smoke/basic*', '--candidate', fill, ...files];
    const { status, stdout } = await xattn(gate, { before: `exec ${disk}` }).ended;
    expect(status).toBe(1);
    expect(stdout).toMatch(/could not be kept: the disk is full/);
    const { summary, incomplete } = json(at('small.json'));
    expect(incomplete).toBeUndefined();
    expect(summary).toMatchObject({ pass: 0, skip: 0 });
    expect(summary.fail).toBeGreaterThan(0);
    expect(readFileSync(at('small.xml'), 'utf8')).toMatch(/<\/testsuites>\n$/);
    expect(readFileSync(at('small.txt'), 'utf8')).not.toContain('.tmp');
  });
});

it('goes to an open file behind what is in it, and takes nobody’s place', async () => {
  const gate = ['gate', '--only', 'smoke/basic*', '--candidate', fake(), '--report'];
  const one = await xattn([...gate, '/dev/stdout'], { after: '> stdout.txt' }).ended;
  expect([one.status, one.stderr]).toEqual([0, '']);
  const text = readFileSync(at('stdout.txt'), 'utf8');
  expect(text).toMatch(/^suite smoke, seed/);
  const [, whole = ''] = /^(\{\n[\s\S]*^\})$/m.exec(text) ?? [];
  expect(JSON.parse(whole).summary.fail).toBe(0);
  const two = await xattn([...gate, '/dev/fd/3'], { after: '3> three.json' }).ended;
  expect([two.status, two.stderr]).toEqual([0, '']);
  expect(judged(json(at('three.json')))).toBeGreaterThan(0);
  expect(json(at('three.json')).incomplete).toBe(undefined);
});

describe('paths are looked at before the candidate is started', () => {
  const started = (): string => `touch ${at('started')}; ${fake()}`;
  it.each<[args: string[], reason: RegExp]>([
    [['--report', ''], /Expected a path, got an empty text/],
    [['--junit', ' '], /Expected a path, got an empty text/],
    [['--out', ''], /Expected a path, got an empty text/],
    [['--report', '/no/such/dir/r.json'], /no such file or folder/],
    [['--report', '.'], /it is a folder, expected a file/],
    [['--report', 'same.x', '--junit', './same.x'], /"--junit" expected another file/],
    [['--out', '/dev/null'], /"--out" expected a folder, got the file \/dev\/null/],
    [['--out', '/dev/null/x'], /a folder/],
    [['--out', '/proc/x'], /\/proc/],
  ])('%j', async (args, reason) => {
    const { status, stderr } = await xattn(['gate', '--candidate', started(), ...args]).ended;
    expect(stderr).toMatch(reason);
    expect(status).toBe(2);
    expect(existsSync(at('started'))).toBe(false);
  });

  it('a pipe is written to once', async () => {
    const gate = ['gate', '--only', 'smoke/basic*', '--candidate', fake(), '--report'];
    const pipe = { before: '', after: '| cat; exit $PIPESTATUS' };
    const { status, stdout } = await xattn([...gate, '/dev/stdout'], pipe).ended;
    expect(status).toBe(0);
    expect(stdout.match(/"schema": 1/g)).toHaveLength(1);
  });
});
