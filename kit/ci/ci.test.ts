/** The workflows to copy: every command in them is run, by a shell, as it stands there. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readReport } from '../../gate/report/read.ts';

const here = import.meta.dirname;
const CLI = fileURLToPath(new URL('../../dist/gate/cli.js', import.meta.url));
const FAKE = fileURLToPath(new URL('../../gate/testing/fake-candidate.mjs', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'xattn-ci-'));
const bin = mkdtempSync(join(root, 'bin-'));
let work = '';

const read = (name: string): string => readFileSync(join(here, name), 'utf8');
const yaml = (name: string): unknown => parse(read(name));

/** Seven cases in place of the suite: the same commands, in a second. */
const short = (command: string): string =>
  command.replace(/--suite (core|smoke|"\$SUITE")/, "--suite smoke --only 'smoke/basic*'");

beforeAll(() => {
  const script = (name: string, text: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  script('xattn', `exec '${process.execPath}' '${CLI}' "$@"`);
  script('npx', '[ "$1" = xattn ] || exit 99; exec "$@"');
  script('npm', '[ "$*" = "install --no-save lv-xattn-oracle" ] || exit 98');
  // The program that the workflows name.
  script(
    'python3',
    `[ "$1" = my_kernel.py ] || exit 97; exec '${process.execPath}' '${FAKE}' $FAULT`,
  );
});
beforeEach(() => {
  work = mkdtempSync(join(root, 'work-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function sh(command: string, env: Record<string, string> = {}) {
  const path = `${bin}:${process.env.PATH}`;
  const options = {
    cwd: work,
    encoding: 'utf8',
    env: { ...process.env, ...env, PATH: path },
  } as const;
  return spawnSync('/bin/bash', ['-e', '-c', short(command)], options);
}

interface Step {
  readonly run?: string;
}
interface Workflow {
  readonly env: Record<string, string>;
  readonly jobs: Record<'gate' | 'report', { readonly steps: readonly Step[] }>;
}

const idsOf = (file: string): string[] => readReport(join(work, file)).cases.map(({ id }) => id);

describe('GitHub Actions', () => {
  const { env, jobs } = yaml('github-actions.yml') as Workflow;
  const commands = (job: 'gate' | 'report'): string[] =>
    jobs[job].steps.flatMap(({ run }) => run ?? []);
  const shard = (n: number, fault = 'none') =>
    commands('gate').map((command) =>
      sh(command.replace(/\$\{\{ matrix.shard \}\}/g, String(n)), {
        ...env,
        SEED: '1',
        FAULT: fault,
      }),
    );

  it('judges by shards, and makes one report of theirs', () => {
    for (const n of [1, 2, 3, 4]) {
      const fault = n === 4 ? 'wrong' : 'none';
      const [install, gate] = shard(n, fault);
      expect([install?.status, gate?.status, gate?.stderr]).toEqual([0, n === 4 ? 1 : 0, '']);
      expect(gate?.stdout).toMatch(/^::notice title=fake%2C judged as f32::/m);
    }
    const [, merge = '', compare = '', keep = ''] = commands('report');
    expect(sh(merge, env).status).toBe(1);
    expect(idsOf('attention.json')).toHaveLength(7);
    expect(readdirSync(work)).toContain('attention.html');
    expect(readFileSync(join(work, 'attention.xml'), 'utf8')).toContain('tests="7" failures="1"');
    // No report of the main branch: nothing to compare with.
    expect(sh(compare, env).status).toBe(0);
    expect(sh(keep, env).status).toBe(0);
    expect(sh(compare, env)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^0 worse/m),
    });
    const text = readFileSync(join(work, 'main.json'), 'utf8');
    const fixed = text.replaceAll('"impossible"', '"pass"').replace('"pass": 6', '"pass": 7');
    writeFileSync(join(work, 'main.json'), fixed.replace('"fail": 1', '"fail": 0'));
    expect(sh(compare, env)).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^1 worse/m),
    });
  });
});

describe('GitLab', () => {
  it('judges its part and merges', () => {
    type Job = { readonly before_script: string[]; readonly script: string[] };
    const { variables, gate, report } = yaml('gitlab-ci.yml') as Record<'gate' | 'report', Job> & {
      variables: Record<string, string>;
    };
    const env = { ...variables, CI_NODE_INDEX: '1', CI_NODE_TOTAL: '1' };
    for (const command of [...gate.before_script, ...gate.script])
      expect(sh(command, env).status).toBe(0);
    for (const command of [...report.before_script, ...report.script]) {
      expect(sh(command, env).status).toBe(0);
    }
    expect(readdirSync(work).sort()).toEqual([
      ...['attention.html', 'attention.json', 'report-1.json', 'report-1.xml'],
    ]);
  });
});

describe('pre-commit', () => {
  it('stops a push that breaks the kernel', () => {
    const { repos } = yaml('pre-commit-config.yaml') as {
      repos: { hooks: { entry: string; files: string }[] }[];
    };
    const { entry = '', files = '' } = repos[0]?.hooks[0] ?? {};
    const { status, stdout } = sh(entry, { FAULT: 'wrong a' });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^7 cases judged: 6 pass, 1 fail/m);
    expect(['kernels/a.cu', 'a.md'].map((name) => new RegExp(files).test(name))).toEqual([
      true,
      false,
    ]);
  });
});

describe('Slurm', () => {
  it('judges by the tasks of an array, and merges after them', () => {
    writeFileSync(join(work, 'slurm-array.sh'), short(read('slurm-array.sh')));
    const task = { SLURM_ARRAY_TASK_COUNT: '2', SLURM_ARRAY_JOB_ID: '41' };
    for (const n of ['1', '2']) {
      expect(sh('bash slurm-array.sh', { ...task, SLURM_ARRAY_TASK_ID: n }).status).toBe(0);
    }
    expect(sh('bash slurm-array.sh', { MERGE: '41' }).status).toBe(0);
    expect(idsOf('reports-41/attention.json')).toHaveLength(7);
    // A task that left no report is missed.
    rmSync(join(work, 'reports-41/shard-2.json'));
    const merged = sh('bash slurm-array.sh', { MERGE: '41' });
    expect([merged.status, merged.stderr]).toEqual([2, 'xattn: no report of the shards 2/2\n']);
  });
});

describe('Docker', () => {
  it('judges what is mounted', () => {
    const text = read('Dockerfile');
    const [, assigned = ''] = /^ENV (.+)$/m.exec(text) ?? [];
    const [, words = ''] = /^CMD (.+)$/m.exec(text) ?? [];
    const [shell, , command = ''] = JSON.parse(words) as string[];
    expect(shell).toBe('sh');
    const ran = sh(`export ${assigned}; ${command}`);
    expect([ran.status, ran.stderr]).toEqual([0, '']);
    expect(readdirSync(work).sort()).toEqual(['report.html', 'report.json']);
  });
});

it('has every file in its list', () => {
  const files = readdirSync(here).filter((name) => !/README|test/.test(name));
  for (const name of files) expect(read('README.md')).toContain(`[${name}](${name})`);
});
