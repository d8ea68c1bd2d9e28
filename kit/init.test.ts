/** What `xattn init` writes runs as it is written: the gate's smoke suite passes it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { initialise, LANGUAGES, type Language } from '../gate/init.ts';

const root = join(import.meta.dirname, '..');
const cli = join(root, 'dist/gate/cli.js');
const python = process.env.XATTN_PYTHON ?? 'python3';
const jaxPython = process.env.XATTN_JAX_PYTHON ?? python;
const required = process.env.XATTN_REQUIRE_TOOLS === '1';
const scratch = mkdtempSync(join(tmpdir(), 'xattn-init-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const runs = (command: string, ...args: string[]) => spawnSync(command, args).status === 0;

/** That of several ranks is one of the rings, which rings/rings.test.ts runs. */
const ALONE = LANGUAGES.filter((language) => language !== 'torch-dist');

/** What each needs, the program that runs it, and how many cases of smoke it passes at least. */
const NEEDS: Record<(typeof ALONE)[number], [here: boolean, program: string, passes: number]> = {
  python: [required || runs(python, '-c', 'import numpy'), `${python} candidate.py`, 9],
  torch: [required || runs(python, '-c', 'import torch'), `${python} candidate.py`, 9],
  jax: [required || runs(jaxPython, '-c', 'import jax'), `${jaxPython} candidate.py`, 2],
  c: [required || runs('cc', '--version'), './attention', 9],
  rust: [required || runs('cargo', '--version'), 'target/release/candidate', 9],
  js: [true, `${process.execPath} candidate.mjs`, 9],
  ts: [true, `${process.execPath} candidate.mjs`, 9],
};

/** JAX compiles every operation of every shape: a few cases take it as long as others the whole suite. */
const FEW = '*/{basic/gradients,feature/gqa-gradients}';

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();

function gate(folder: string, program: string, ...only: string[]) {
  const asked = ['--candidate', program, '--seed', '1', ...only.flatMap((one) => ['--only', one])];
  const args = ['gate', ...asked, '--report', 'report.json'];
  const { status, stdout } = spawnSync(process.execPath, [cli, ...args], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { status, stdout, report: JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) };
}

/** As C99 without a warning. */
function compile(folder: string): void {
  const strict = ['-std=c99', '-pedantic', '-Wall', '-Wextra', '-Werror', '-O2'];
  const args = [...strict, '-o', 'attention', 'attention.c', '-lm'];
  const { status, stderr } = spawnSync('cc', args, { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
}

/** Without a crate from outside, and without a warning. */
function cargo(folder: string): void {
  const { status, stderr } = spawnSync('cargo', ['build', '--release', '--offline'], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, RUSTFLAGS: '-D warnings', CARGO_TERM_COLOR: 'never' },
  });
  expect(stderr).not.toMatch(/^(warning|error)/m);
  expect(status).toBe(0);
}

/** What has to be built before it runs. */
const BUILDS: Partial<Record<Language, (folder: string) => void>> = { c: compile, rust: cargo };

describe('xattn init', () => {
  for (const language of ALONE) {
    const [here, program, passes] = NEEDS[language];
    if (!here) console.warn(`SKIPPED: xattn init ${language} is not run, its library is missing`);
    it.runIf(here)(`${language}: passes smoke, and fails it when it is broken`, () => {
      const folder = join(scratch, language);
      const { written } = initialise(language, folder);
      expect(written.map((file) => file.slice(folder.length + 1)).sort()).toEqual(filesIn(folder));
      if (language === 'ts') {
        const tsc = join(root, 'node_modules/.bin/tsc');
        expect(spawnSync(tsc, ['-p', folder], { encoding: 'utf8' }).stdout).toBe('');
      }
      BUILDS[language]?.(folder);
      const few = language === 'jax' ? [FEW] : [];
      const { status, stdout, report } = gate(folder, program, ...few);
      expect(stdout).not.toMatch(/^(impossible|improbable|broken)/m);
      expect(status).toBe(0);
      expect(report.summary.pass).toBeGreaterThanOrEqual(passes);
      const sources = {
        ...{ js: 'candidate.mjs', ts: 'candidate.mjs', c: 'attention.c', rust: 'src/main.rs' },
      };
      const named: Partial<Record<Language, string>> = sources;
      const file = join(folder, named[language] ?? 'attention.py');
      const text = readFileSync(file, 'utf8');
      const broken = text
        .replace(/c\.scale \* dot/, 'dot')
        .replace(/np\.float32\(scale\) \*/, '')
        .replace(/s = \(.*scale\) \*/, 's =')
        .replace(/\(float\)c->scale \* dot/, 'dot')
        .replace(/case\.scale as f32 \* dot/, 'dot');
      expect(broken).not.toBe(text);
      writeFileSync(file, broken);
      BUILDS[language]?.(folder);
      expect(gate(folder, program, '*/basic/{square,gradients}').status).toBe(1);
    });
  }

  it('says what to run, quoted, by the version of Node', () => {
    const { steps } = initialise('torch', join(scratch, "it's here"));
    // The shell takes the command apart, and what it finds is the file.
    const [command = '', tests = ''] = steps.map((step) => step.replace('npx xattn', 'set --'));
    const words = (text: string): string[] =>
      spawnSync('sh', ['-c', `${text}; printf '%s\n' "$@"`], { encoding: 'utf8' }).stdout.split(
        '\n',
      );
    const [, , program = ''] = words(command);
    expect(words(`set -- ${program}`)[1]).toBe(join(scratch, "it's here", 'candidate.py'));
    expect(words(`set -- ${tests}`)[3]).toBe(join(scratch, "it's here"));
    expect(initialise('ts', join(scratch, 'new'), '24.1.0').steps).toEqual([
      `npx xattn gate --candidate 'node ${scratch}/new/candidate.mts'`,
    ]);
    expect(initialise('ts', join(scratch, 'old'), '20.20.2').steps).toEqual([
      `npx -p typescript tsc -p ${scratch}/old`,
      `npx xattn gate --candidate 'node ${scratch}/old/candidate.mjs'`,
    ]);
  });

  it('torch-dist: is the ring of processes, beside the kit', () => {
    const folder = join(scratch, 'torch-dist');
    const { written, steps } = initialise('torch-dist', folder);
    const same = { 'candidate.py': 'rings/torch_ring.py', 'xattn_kit.py': 'python/xattn_kit.py' };
    expect(written).toEqual(Object.keys(same).map((name) => join(folder, name)));
    for (const [name, source] of Object.entries(same)) {
      expect(readFileSync(join(folder, name))).toEqual(readFileSync(join(root, 'kit', source)));
    }
    expect(steps).toEqual([
      `npx xattn gate --candidate 'python3 ${folder}/candidate.py 4'`,
      `npx xattn gate --suite core --candidate 'torchrun --nproc_per_node 4 ${folder}/candidate.py'`,
    ]);
  });

  it('writes nothing where one of its files is', () => {
    const there = join(scratch, 'there');
    initialise('js', there);
    expect(() => initialise('js', there)).toThrow(
      /"DIR" expected a folder without .*candidate.mjs/,
    );
    expect(() => initialise('ts', there)).toThrow(/xattn-kit.mjs/);
    expect(readdirSync(there).sort()).toEqual(['candidate.mjs', 'xattn-kit.mjs']);
  });

  it('is a command', () => {
    const said = spawnSync(process.execPath, [cli, 'init', 'js', 'mine'], {
      cwd: scratch,
      encoding: 'utf8',
    });
    expect(said.stdout).toContain("$ npx xattn gate --candidate 'node mine/candidate.mjs'");
    expect(said.status).toBe(0);
    const refused = spawnSync(process.execPath, [cli, 'init', 'cobol', 'x'], { encoding: 'utf8' });
    expect(refused.stderr).toMatch(
      /Allowed choices are python, torch, torch-dist, jax, c, rust, js, ts/,
    );
    expect(refused.status).toBe(2);
  });
});
