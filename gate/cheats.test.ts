import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWithTools } from '../spec/tools.ts';

const root = join(import.meta.dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'xattn-cheats-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const out = join(work, 'out');
const wrong = `${process.execPath} gate/testing/fake-candidate.mjs wrong`;
const cheat = (manner: string, place: string) =>
  `${process.execPath} gate/testing/cheat.mjs ${manner} ${place}`;

/** The smoke suite's basic cases put to a candidate. */
function gate(candidate: string, ...more: string[]) {
  const words = ['gate', '--only', '*/basic/*', '--out', out, '--candidate', candidate, ...more];
  const { status, stdout, stderr } = spawnSync('node', ['dist/gate/cli.js', ...words], {
    cwd: root,
    encoding: 'utf8',
  });
  const [, pass = '?', fail = '?', broken = '?'] =
    /judged: (\d+) pass, (\d+) fail, (\d+) broken/.exec(stdout) ?? [];
  return { status, stdout, stderr, pass, fail, broken };
}

const filesUnder = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' });
const answersUnder = (folder: string): string[] =>
  filesUnder(folder).filter((name) => name.endsWith('expected.safetensors'));

describe('answers of an earlier run', () => {
  const learnt = join(work, 'learnt');
  let first: ReturnType<typeof gate>;
  beforeAll(() => {
    first = gate(wrong, '--seed', '5');
    cpSync(realpathSync(join(out, 'latest')), learnt, { recursive: true });
  });

  it('are kept once the candidate has ended, in a folder of the run', () => {
    expect(first.status).toBe(1);
    expect(answersUnder(learnt).length).toBe(Number(first.fail));
    expect(readdirSync(out).sort()).toEqual([
      'latest',
      expect.stringMatching(/^run-[0-9a-f]{24}$/),
    ]);
    expect(lstatSync(join(out, 'latest')).isSymbolicLink()).toBe(true);
    expect(first.stdout).toMatch(/xattn replay \S+run-[0-9a-f]{24}\/smoke\/basic\//);
  });

  it('would do for whoever carries them, if the seed were the same: the cheat works', () => {
    const { status, pass } = gate(cheat('knows', learnt), '--seed', '5');
    expect([status, pass]).toEqual([0, first.fail]);
    expect(existsSync(join(out, 'latest'))).toBe(false);
  });

  it('are of no use at another seed', () => {
    for (const manner of ['knows', 'by-id']) {
      const { status, pass } = gate(cheat(manner, learnt));
      expect([manner, status, pass]).toEqual([manner, 3, '0']);
    }
  });

  it('are of no use by the name of the case, at the same seed', () => {
    const { status, pass } = gate(cheat('by-id', learnt), '--seed', '5');
    expect([status, pass]).toEqual([3, '0']);
  });

  it('are out of reach in the folder where they are kept, at the same seed, and put back', () => {
    const before = answersUnder(out);
    expect(before.length).toBeGreaterThan(0);
    const { status, pass } = gate(cheat('reads', out), '--seed', '5');
    expect([status, pass]).toEqual([3, '0']);
    expect(answersUnder(out)).toEqual(expect.arrayContaining(before));
    const [kept = ''] = before;
    const bytes = readFileSync(join(out, kept));
    const folder = join(out, kept, '..');
    const words = ['replay', folder, '--candidate', cheat('reads', out)];
    const replay = spawnSync('node', ['dist/gate/cli.js', ...words], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(replay.status).toBe(3);
    expect(readFileSync(join(out, kept)).equals(bytes)).toBe(true);
  });

  it('are out of reach beside a case of one’s own while it is replayed, and put back', () => {
    const mine = join(work, 'mine');
    const [kept = ''] = answersUnder(learnt);
    cpSync(join(learnt, kept, '..'), join(mine, 'a'), { recursive: true });
    const words = ['replay', join(mine, 'a'), '--candidate', cheat('reads', mine)];
    const { status } = spawnSync('node', ['dist/gate/cli.js', ...words], { cwd: root });
    expect(status).toBe(3);
    const names = ['mine/a/expected.safetensors', join('learnt', kept)];
    const [put, first] = names.map((name) => readFileSync(join(work, name)));
    expect(put?.equals(first ?? Buffer.alloc(0))).toBe(true);
  });

  it('are left alone where this project did not put them', () => {
    const { status, pass } = gate(cheat('reads', learnt), '--seed', '5', '--out', work);
    expect([status, pass]).toEqual([0, first.fail]);
  });
});

describeWithTools('a sandbox', ['bwrap'], () => {
  const elsewhere = join(work, 'elsewhere');
  const calls = `${process.execPath} ${elsewhere}/cheat-that-calls.mjs ${root}/dist`;
  beforeAll(() => {
    mkdirSync(elsewhere);
    for (const name of ['cheat-that-calls.mjs', 'cheat.mjs']) {
      copyFileSync(join(root, 'gate/testing', name), join(elsewhere, name));
    }
  });

  it('keeps this project’s library from a candidate that calls it, and passes without', () => {
    expect(gate(calls, '--seed', '5').status).toBe(0);
    const { status, stdout, pass } = gate(calls, '--seed', '5', '--sandbox');
    expect([status, pass]).toEqual([3, '0']);
    expect(stdout).toMatch(/Cannot find module .*it sees: kit node_modules package.json/);
    expect(stdout).toMatch(/xattn replay .* --sandbox/);
  });

  it('judges honest work in it, and leaves nothing behind', () => {
    const scratch = mkdtempSync(join(work, 'tmp-'));
    const env = { ...process.env, TMPDIR: scratch };
    const words = ['gate', '--only', '*/basic/*', '--sandbox', '--out', out, '--candidate'];
    const honest = `${process.execPath} kit/javascript/example.mjs`;
    const ended = spawnSync('node', ['dist/gate/cli.js', ...words, honest], {
      ...{ cwd: root, encoding: 'utf8', env },
    });
    expect(ended.stdout).toMatch(/0 fail, 0 broken/);
    expect(ended.status).toBe(0);
    expect(readdirSync(scratch)).toEqual([]);
  });

  it('has no network, nothing to write on but its own, and no answer of earlier runs', () => {
    gate(wrong, '--seed', '5');
    expect(answersUnder(out).length).toBeGreaterThan(0);
    const look = [
      `ls ${out}`,
      `touch ${root}/kit/written`,
      'cat /proc/net/dev',
      'touch "$TMPDIR/mine" && echo "own folder"',
      'umount /proc',
    ].join('; ');
    const { stdout } = gate(`(${look}) >&2; exit 4`, '--seed', '5', '--sandbox');
    expect(stdout).toMatch(/exited with status 4/);
    expect(stdout).toMatch(/candidate: touch: .*Read-only file system/);
    expect(stdout).toMatch(/candidate: own folder/);
    expect(stdout).toMatch(/candidate: umount: /);
    expect(stdout).not.toMatch(/run-[0-9a-f]{24}|eth0|ens/);
    expect(stdout).toMatch(/candidate: +lo:/);
  });

  it('hides --out before there is one, and a report that is being written', () => {
    const fresh = join(elsewhere, 'fresh');
    const { stdout } = gate(
      `grep ' ${fresh} ' /proc/mounts >&2; exit 4`,
      '--sandbox',
      '--out',
      fresh,
    );
    expect(stdout).toMatch(/candidate: tmpfs \S*fresh/);
    const run = (...more: string[]) =>
      spawnSync('node', [join(root, 'dist/gate/cli.js'), ...more, '--candidate', 'exit 4'], {
        ...{ cwd: elsewhere, encoding: 'utf8' },
      });
    const gates = ['gate', '--only', '*/basic/*', '--sandbox', '--report'];
    const { status, stderr } = run(...gates, 'r.json');
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(/"--report" expected a place that .* such as out\/r.json, got r.json/),
    ]);
    expect(run(...gates, 'out/r.json').status).toBe(3);
    expect(JSON.parse(readFileSync(join(elsewhere, 'out/r.json'), 'utf8')).summary.broken).not.toBe(
      0,
    );
  });

  it('is refused in a folder that it would have to hide', () => {
    const [kept = ''] = answersUnder(out);
    const folder = realpathSync(join(out, kept, '..'));
    const words = ['replay', '.', '--sandbox', '--candidate', cheat('reads', folder)];
    const cli = join(root, 'dist/gate/cli.js');
    const ended = spawnSync('node', [cli, ...words], { cwd: folder, encoding: 'utf8' });
    expect([ended.status, ended.stderr]).toEqual([
      2,
      expect.stringMatching(
        /hides \S+ from the candidate, and expected a working directory outside/,
      ),
    ]);
    expect(existsSync(join(folder, 'expected.safetensors'))).toBe(true);
  });

  it('shows what it is told to show, and refuses what is not there', () => {
    const shown = [
      '--sandbox',
      '--sandbox-show',
      `${root}/dist`,
      '--sandbox-show',
      `${root}/reference`,
    ];
    expect(gate(calls, '--seed', '5', ...shown).status).toBe(0);
    const refused = gate(calls, '--sandbox', '--sandbox-show', '/no/such');
    expect([refused.status, refused.stderr]).toEqual([
      2,
      expect.stringMatching(/expected a file or folder, got \/no\/such/),
    ]);
  });
});

describe('where there is no sandbox', () => {
  it('--sandbox is refused with a sentence, and nothing is started', () => {
    const words = ['gate', '--sandbox', '--candidate', `touch ${work}/started`];
    const ended = spawnSync(process.execPath, ['dist/gate/cli.js', ...words], {
      ...{ cwd: root, encoding: 'utf8', env: { ...process.env, PATH: '/no/such/folder' } },
    });
    expect(ended.status).toBe(2);
    expect(ended.stderr).toMatch(/it needs bubblewrap, which is not installed/);
    expect(existsSync(join(work, 'started'))).toBe(false);
    expect(spawnSync('node', ['dist/gate/cli.js', 'gate', '--sandbox'], { cwd: root }).status).toBe(
      2,
    );
  });
});
