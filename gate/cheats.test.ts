import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

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

  it('are left alone where this project did not put them', () => {
    const { status, pass } = gate(cheat('reads', learnt), '--seed', '5', '--out', work);
    expect([status, pass]).toEqual([0, first.fail]);
  });
});
