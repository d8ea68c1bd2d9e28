import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CaseInputs } from '../reference/case/case.ts';
import { drawCase } from '../reference/case/draw-case.ts';
import { referenceOutputs } from '../reference/definition/reference.ts';
import { writeCase } from '../reference/files/case-folder.ts';
import { readSafetensors } from '../reference/files/safetensors.ts';
import { smallCase } from './testing/cases.ts';

const CLI = fileURLToPath(new URL('../dist/gate/cli.js', import.meta.url));
const FAKE = fileURLToPath(new URL('./testing/fake-candidate.mjs', import.meta.url));
let root = '';
let folder = '';

beforeAll(() => {
  if (!existsSync(CLI)) throw new Error(`${CLI} is missing: npm run build makes it`);
  root = mkdtempSync(path.join(tmpdir(), 'xattn-cli-'));
  folder = path.join(root, 'case');
  writeCase(folder, smallCase('t/small'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const fake = (...args: string[]): string => [process.execPath, FAKE, ...args].join(' ');

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Run `xattn` in the temporary folder. Asynchronous, so that tests may run side by side. */
function xattn(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: root });
  const ended: Ended = { status: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text;
  });
  return new Promise((resolve) => child.on('close', (status) => resolve({ ...ended, status })));
}

/** Exit 2, something said, and no stack trace. */
function expectRefusal({ status, stderr }: Ended, reason: RegExp): void {
  expect(stderr).toMatch(reason);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(stderr).not.toMatch(/internal error/);
  expect(status).toBe(2);
}

describe('a wrong command line is refused with a sentence, exit 2', () => {
  const wrong: [args: string[], reason: RegExp][] = [
    [[], /Usage: xattn/],
    [['judge'], /"CASE_DIR" expected a case folder, or "--serve", got none/],
    [['judge', 'x', '--rows', 'two'], /Expected how many, such as 64/],
    [['serve-page'], /unknown command 'serve-page'/],
    [['gate', '--sute', 'core'], /unknown option '--sute'\s+\(Did you mean --suite\?\)/],
    [['gate', '--suite', 'huge'], /Allowed choices are smoke, core, full/],
    [
      ['gate', '--profile', 'fp32'],
      /Expected one of f64 f32 tf32 f16 bf16, with any of \+sigmoid-merge/,
    ],
    [['gate', '--direction', 'up'], /Allowed choices are forward, backward, both/],
    [['gate', '--seed', '-1'], /Expected a whole number/],
    [['gate', '--seed', '1.5'], /Expected a whole number/],
    [['gate', '--timeout-s', '0'], /Expected seconds, more than 0/],
    [['gate', '--timeout-s', 'soon'], /Expected seconds, more than 0/],
    [['gate', '--shard', '3/2'], /Expected i\/n with 1 ≤ i ≤ n/],
    [['gate', '--shard', '0/2'], /Expected i\/n with 1 ≤ i ≤ n/],
    [['gate', '--candidate', ' '], /Expected a shell command/],
    [['gate', '--candidate', 'x', '--device', 'cpu'], /cannot be used with option '--candidate/],
    [['gate', '--pdf', 'x.pdf'], /unknown option '--pdf'/],
    [['gate', 'extra'], /too many arguments/],
    [['gate', '--only', 'no-such-case'], /"--only" expected a pattern that matches/],
    [['gate', '--report', '/no/such/dir/r.json'], /\/no\/such\/dir\/r.json: there is no such file/],
    [['fixtures', 'generate', 'x', '--workers', '100000'], /expected 0 to 64 threads, got 100000/],
    [['replay'], /missing required argument 'case-dir'/],
    [['replay', '/no/such/case'], /expected a case folder, got \/no\/such\/case/],
    [['oracle', '/no/such/case'], /expected a case folder, got \/no\/such\/case/],
    [['oracle', '.', '--format', 'f8'], /Allowed choices are f64, f32, bf16, f16/],
    [['oracle', '.'], /"case.json" expected a file/],
  ];
  it.concurrent.each(wrong)('%j', async (args, reason) => {
    expectRefusal(await xattn(...args), reason);
  });

  it('and a malformed case folder too', async () => {
    const bad = path.join(root, 'bad');
    mkdirSync(bad, { recursive: true });
    writeFileSync(path.join(bad, 'inputs.safetensors'), Buffer.alloc(64, 0xff));
    const texts: [text: string, reason: RegExp][] = [
      ['{', /"case.json" expected JSON/],
      ['[]', /expected/],
      ['['.repeat(1e5), /"case.json" expected JSON/],
      [`${'['.repeat(1e5)}${']'.repeat(1e5)}`, /"case.json" expected JSON at most 64 deep/],
      [
        '{"schema":1,"id":"a","schema":1}',
        /"case.json" expected each name once, got "schema" twice/,
      ],
      ['{"schema":1,"scale":1e999}', /"scale" expected a finite number, got 1e999/],
      [readFileSync(path.join(folder, 'case.json'), 'utf8'), /safetensors header expected/],
    ];
    for (const [text, reason] of texts) {
      writeFileSync(path.join(bad, 'case.json'), text);
      expectRefusal(await xattn('oracle', bad), reason);
      expectRefusal(await xattn('replay', bad, '--candidate', fake()), reason);
    }
  });
});

describe('help', () => {
  it('teaches, and lists what there is', async () => {
    const { status, stdout } = await xattn('--help');
    expect(status).toBe(0);
    const commands = [...stdout.matchAll(/^ {2}(\w+) .*\S {2,}\S/gm)].map(([, name]) => name);
    const listed = ['gate', 'fuzz', 'replay', 'judge', 'oracle', 'plan', 'run', 'rank', 'fixtures'];
    for (const name of [...listed, 'doctor']) expect(stdout).toContain(`  ${name}`);
    for (const name of ['serve', 'campaign']) expect(commands).not.toContain(name);
    const gate = await xattn('gate', '--help');
    expect(gate.stdout).toMatch(/Examples:\n {2}\$ xattn gate/);
    expect(gate.stdout).toMatch(/Exit status: 0 every verdict passes; 1 .*; 2 .*;\n3 /);
  });

  it('has a version, the package’s', async () => {
    const manifest = fileURLToPath(new URL('../package.json', import.meta.url));
    const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
    expect((await xattn('--version')).stdout.trim()).toBe(version);
  });
});

describe('replay', () => {
  it.each([
    ['none', 0, /1 case judged: 1 pass, 0 fail, 0 broken/],
    ['wrong', 1, /impossible t\/small: out\[0, 0, 0, 0\]/],
    ['die', 3, /broken t\/small: it exited with status 7/],
    ['declines', 3, /broken t\/small: declined what it claims: head_dim 3/],
    ['declines --allow-declined', 2, /skipped 1, the candidate declined: head_dim 3/],
    ['forward-only', 2, /skipped 1, needs backward/],
    ['dies-at-start', 3, /broken 1 not asked, it exited with status 5/],
  ])('%s: exit %i', async (fault, status, said) => {
    const [name = '', ...options] = fault.split(' ');
    const ended = await xattn('replay', folder, '--candidate', fake(name), ...options);
    expect(ended.stdout).toMatch(said);
    expect(ended.status).toBe(status);
  });

  it('leaves nothing behind: no temporary folder, no kept case', async () => {
    const scratch = mkdtempSync(path.join(root, 'tmp-'));
    const before = readdirSync(folder);
    const shell = `TMPDIR=${scratch} ${process.execPath} ${CLI} replay ${folder} --candidate '${fake('wrong')}'`;
    const child = spawn(shell, { shell: true, cwd: scratch, stdio: 'ignore' });
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(1);
    expect(readdirSync(scratch)).toEqual([]);
    expect(readdirSync(folder)).toEqual(before);
  });

  it('is not fooled by outputs that lie in the folder', async () => {
    const prepared = path.join(root, 'prepared');
    writeCase(prepared, smallCase('t/small'));
    await xattn('oracle', prepared, '--format', 'f32');
    const bytes = readFileSync(path.join(prepared, 'expected.safetensors'));
    writeFileSync(path.join(prepared, 'outputs.safetensors'), bytes);
    const ended = await xattn('replay', prepared, '--candidate', fake('missing'));
    expect(ended.stdout).toMatch(/broken t\/small: .*expected a file/);
    expect(ended.status).toBe(3);
  });

  it('judges at another precision when asked', async () => {
    const ended = await xattn('replay', folder, '--candidate', fake(), '--profile', 'f64');
    expect(ended.stdout).toMatch(/judged as f64/);
    expect(ended.status).toBe(1);
  });
});

describe('oracle', () => {
  it('writes the answer in the format asked for, with enclosures', async () => {
    const ended = await xattn('oracle', folder, '--format', 'f32', '--bounds');
    expect(ended.status).toBe(0);
    expect(ended.stdout).toMatch(/correctly rounded to f32: 134 in float64/);
    const { tensors } = readSafetensors(readFileSync(path.join(folder, 'expected.safetensors')));
    const expected = referenceOutputs(smallCase('t/small'));
    expect([...tensors.keys()].filter((name) => !name.includes('.')).sort()).toEqual(
      Object.keys(expected).sort(),
    );
    const [value, lo, hi] = ['out', 'out.lo', 'out.hi'].map((name) => tensors.get(name)!);
    expect([value!.dtype, lo!.dtype, hi!.dtype]).toEqual(['F32', 'F64', 'F64']);
    const truth = expected.out!.get(0, 1, 2, 3);
    expect(value!.tensor.get(0, 1, 2, 3)).toBe(Math.fround(truth));
    expect(lo!.tensor.get(0, 1, 2, 3)).toBeLessThan(truth);
    expect(hi!.tensor.get(0, 1, 2, 3)).toBeGreaterThan(truth);
  });

  it('names what no level could decide, and writes NaN there', async () => {
    // Equal values midway between two f32, under a softcap: a tie that is not recognised.
    const tied = path.join(root, 'tied');
    const adjust = ({ v }: CaseInputs): void => {
      for (let j = 0; j < 2; j++) v?.set(0, 0, j, 0, 1 + 2 ** -24);
    };
    const shape = { heads: 1, kv_heads: 1, seq_q: 1, seq_kv: 2, head_dim_v: 1 };
    const c = drawCase(5, { ...shape, dtype: 'f64', softcap: 2, gradients: false, adjust });
    writeCase(tied, c);
    const ended = await xattn('oracle', tied, '--format', 'f32');
    expect(ended.stdout).toContain('undecided (written as NaN): out[0, 0, 0, 0] (no number of');
    const idle = await xattn('oracle', tied, '--format', 'f32', '--work', '0');
    expect(idle.stdout).toContain('out[0, 0, 0, 0] (more work than granted: --work)');
    const late = await xattn('oracle', tied, '--format', 'f32', '--max-seconds', '1e-9');
    expect(late.stdout).toContain('out[0, 0, 0, 0] (past --max-seconds)');
    const refused = await xattn('oracle', tied, '--work', '-1');
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringContaining('0 or more')]);
    const { tensors } = readSafetensors(readFileSync(path.join(tied, 'expected.safetensors')));
    expect(tensors.get('out')!.tensor.get(0, 0, 0, 0)).toBe(Number.NaN);
    expect(tensors.get('lse')!.tensor.get(0, 0, 0)).not.toBe(Number.NaN);
  });

  it('refuses inputs that are not finite, and files shorter than their header says', async () => {
    const bad = path.join(root, 'bad');
    writeCase(bad, smallCase('t/bad'));
    const file = path.join(bad, 'inputs.safetensors');
    const bytes = readFileSync(file);
    bytes.writeFloatLE(Number.NaN, bytes.length - 4);
    writeFileSync(file, bytes);
    expectRefusal(
      await xattn('oracle', bad),
      /"d_out\[.*\]" expected a finite f32 number, got "NaN"/,
    );
    writeFileSync(file, bytes.subarray(0, bytes.length - 8));
    expectRefusal(
      await xattn('oracle', bad),
      /"d_out" ends at byte \d+ of \d+: the file is truncated/,
    );
  });

  it('answers for a sample in fp8, says its share, and refuses rows that are not there', async () => {
    const ended = await xattn(
      'oracle',
      folder,
      '--format',
      'fp8-e4m3',
      '--rows',
      '2',
      '--keys',
      '0,',
    );
    expect(ended.status).toBe(0);
    expect(ended.stdout).toMatch(/sample of every head: 2 of \d+ query rows, 1 of \d+ keys/);
    const { tensors } = readSafetensors(readFileSync(path.join(folder, 'expected.safetensors')));
    expect(tensors.get('out')!.dtype).toBe('F8_E4M3');
    expect(tensors.get('out')!.tensor.shape[2]).toBe(2);
    expect(tensors.get('rows')!.tensor.shape).toEqual([2]);
    const refused = await xattn('oracle', folder, '--rows', '999,');
    expect([refused.status, refused.stderr]).toEqual([2, expect.stringMatching(/"rows" expected/)]);
  });
});

describe('gate', () => {
  it('judges a suite, keeps what fails, and prints a replay that repeats the verdict', async () => {
    const files = ['--report', 'r.json', '--junit', 'r.xml', '--seed', '7', '--out', 'kept'];
    const all = await xattn('gate', '--candidate', fake('wrong'), ...files, '--shard', '1/4');
    expect(all.status).toBe(1);
    const report = JSON.parse(readFileSync(path.join(root, 'r.json'), 'utf8'));
    expect(report).toMatchObject({ schema: 1, candidate: 'fake', profile: 'f32' });
    const { pass, fail, skip, broken } = report.summary;
    expect(fail).toBeGreaterThan(0);
    expect(pass + fail + skip + broken).toBe(report.cases.length);
    expect(readFileSync(path.join(root, 'r.xml'), 'utf8')).toContain(`failures="${fail}"`);
    const failed = report.cases.find((one: { verdict: string }) => one.verdict === 'impossible');
    const line = all.stdout
      .split('\n')
      .find((text) => text.includes(`/${failed.id} `) && text.includes('xattn replay kept/run-'));
    expect(line).toContain(`--candidate '${fake('wrong')}'`);
    const again = await xattn('replay', `kept/latest/${failed.id}`, '--candidate', fake('wrong'));
    expect(again.stdout).toContain(`impossible ${failed.id}: ${failed.reason}`);
    expect(again.status).toBe(1);
  });

  it('says the same twice, but for the time', async () => {
    const args = ['gate', '--candidate', fake(), '--shard', '2/4', '--seed', '3', '--report'];
    const [a, b] = await Promise.all([xattn(...args, 'a.json'), xattn(...args, 'b.json')]);
    expect(a.status).toBe(0);
    expect(a.stdout).toBe(b.stdout);
    const [first, second] = ['a.json', 'b.json'].map((f) =>
      readFileSync(path.join(root, f), 'utf8').replace(/"seconds": [\d.e-]+/g, '"seconds": 0'),
    );
    expect(first).toBe(second);
  });

  it('draws numbers and order anew, says the seed, and repeats the run by it', async () => {
    const asked = ['gate', '--candidate', fake(), '--only', '*/basic/*'];
    const drawn = await xattn(...asked, '--out', 'seeds');
    const seed = /^suite smoke, seed (\d+)/.exec(drawn.stdout)?.[1] ?? '';
    expect(drawn.stdout).toMatch(new RegExp(`direction both, .*seed ${seed}`));
    expect((await xattn(...asked, '--seed', seed)).stdout).toBe(drawn.stdout);
    expect((await xattn(...asked, '--out', 'seeds')).stdout).not.toContain(`seed ${seed}:`);
  });

  it('a candidate that declines all but one case of those it claims fails, and it is said', async () => {
    const ended = await xattn('gate', '--candidate', fake('declines-but-one'), '--seed', '1');
    expect(ended.stdout).toMatch(
      /of \d+ cases that it claims, 1 \(\d\.\d %\) answered and compared, \d+ declined/,
    );
    expect(ended.status).toBe(3);
    const allowed = await xattn(
      'gate',
      '--candidate',
      fake('declines-but-one'),
      '--allow-declined',
    );
    expect(allowed.stdout).toMatch(/ 1 \(\d\.\d %\) answered and compared, \d+ declined/);
    expect(allowed.status).toBe(0);
  });

  it('a required word must be declared, and some case must need it', async () => {
    const forward = [
      'gate',
      '--candidate',
      fake('forward-only'),
      '--only',
      '*/basic/*',
      '--require',
    ];
    expect((await xattn(...forward, 'forward,f32')).status).toBe(0);
    const lacking = await xattn(...forward, 'forward gqa');
    expect(lacking.stdout).toMatch(/not asked, does not declare gqa, as required/);
    expect(lacking.status).toBe(3);
    const nowhere = ['gate', '--candidate', fake(), '--only', '*/basic/*', '--require', 'sink'];
    expectRefusal(
      await xattn(...nowhere),
      /"--require" expected a judged case of each word, got none of sink/,
    );
    expectRefusal(
      await xattn('gate', '--require', 'speed'),
      /Expected words of forward .*, got speed/,
    );
  });

  it('forward asks for no gradients, backward for nothing without them', async () => {
    for (const direction of ['forward', 'backward']) {
      const file = `${direction}.json`;
      const args = ['--direction', direction, '--shard', '1/4', '--seed', '1', '--report', file];
      const ended = await xattn('gate', '--candidate', fake(), ...args);
      expect(ended.status, ended.stdout).toBe(0);
      const report = JSON.parse(readFileSync(path.join(root, file), 'utf8'));
      const judged = report.cases.filter((one: { verdict: string }) => one.verdict === 'pass');
      expect(judged.length).toBeGreaterThan(0);
      for (const { outputs } of judged) {
        const gradients = Object.keys(outputs).some((name) => name.startsWith('d_'));
        expect(gradients).toBe(direction === 'backward');
      }
    }
  });

  it('a candidate that never starts is broken everywhere, exit 3', async () => {
    const ended = await xattn('gate', '--candidate', fake('dies-at-start'));
    expect(ended.stdout).toMatch(
      /broken \d+ not asked, it exited with status 5 before it said hello/,
    );
    expect(ended.status).toBe(3);
  });

  it('finds out that a report cannot be written before it asks anything', async () => {
    const started = path.join(root, 'started');
    const args = [
      'gate',
      '--candidate',
      `touch ${started}`,
      '--junit',
      path.join(root, 'no/x.xml'),
    ];
    expectRefusal(await xattn(...args), /no\/x.xml: there is no such file or folder/);
    expect(existsSync(started)).toBe(false);
  });

  it('nothing judged is no pass', async () => {
    const none = `${process.execPath} -e '${[
      'console.log(JSON.stringify({xattn:1,name:"none",supports:[],profile:"f32"}))',
      'process.stdin.resume()',
    ].join(';')}'`;
    expectRefusal(await xattn('gate', '--candidate', none), /no case was judged/);
  });

  it('judges the embedded candidate, on the backend it names', async () => {
    const ended = await xattn('gate', '--device', 'webasm', '--shard', '1/8', '--seed', '1');
    expect(ended.stdout).toMatch(/LV-XAttn on GPU.js \(threads, webasm\), judged as f32/);
    expect(ended.stdout).toMatch(/0 fail, 0 broken/);
    expect(ended.status).toBe(0);
  });
});

describe('an interrupted run', () => {
  it('leaves no process and no folder behind', async () => {
    const scratch = mkdtempSync(path.join(root, 'tmp-'));
    const marker = `xattn-interrupt-${process.pid}`;
    const command = `${fake('hang')}; sleep 300; : ${marker}`;
    const env = { ...process.env, TMPDIR: scratch };
    const child = spawn(process.execPath, [CLI, 'replay', folder, '--candidate', command], { env });
    while (readdirSync(scratch).length === 0) await sleep(20);
    await sleep(300);
    const running = () => readdirSync('/proc').filter((pid) => commandLine(pid).includes(marker));
    expect(running().length).toBeGreaterThan(1);
    const status = new Promise((resolve) => child.on('exit', resolve));
    child.kill('SIGINT');
    expect(await status).toBe(130);
    await sleep(100);
    expect(running()).toEqual([]);
    expect(readdirSync(scratch)).toEqual([]);
  });
});

function commandLine(pid: string): string {
  try {
    return /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
  } catch {
    return '';
  }
}

describe('doctor', () => {
  it('finds everything required on a machine that runs these tests', async () => {
    const { status, stdout } = await xattn('doctor');
    expect(stdout).toMatch(/works +GPU.js webasm +the embedded candidate +a kernel ran/);
    expect(stdout).toMatch(/Everything required works\./);
    expect(status).toBe(0);
  });
});
