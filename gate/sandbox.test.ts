import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWithTools } from '../spec/tools.ts';
import { questionFolders, removeDistrusted } from './question-folders.ts';

const root = join(import.meta.dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'xattn-sandbox-test-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

function victim(): string {
  const folder = mkdtempSync(join(work, 'victim-'));
  for (const name of ['a', 'b']) writeFileSync(join(folder, name), name);
  return folder;
}

function places() {
  const own = mkdtempSync(join(work, 'own-'));
  return { own, asked: join(own, 'asked') };
}

const write = (made: string): void => writeFileSync(join(made, 'case.json'), '{}');

describe('question folders', () => {
  it('that were turned into a link hold no answer, and nothing behind the link is touched', () => {
    const outside = victim();
    const folders = questionFolders(places());
    const first = folders.next();
    first.show(write);
    renameSync(first.asked, join(work, 'away'));
    symlinkSync(outside, first.asked);
    expect(existsSync(first.taken())).toBe(false);
    folders.done(first);
    const second = folders.next();
    second.show(write);
    expect(readdirSync(second.taken())).toEqual(['case.json']);
    expect(readdirSync(outside)).toEqual(['a', 'b']);
  });

  it('that another folder was put in the place of hold no answer', () => {
    const folder = questionFolders(places()).next();
    folder.show(write);
    renameSync(folder.asked, join(work, 'away-too'));
    mkdirSync(folder.asked);
    writeFileSync(join(folder.asked, 'outputs.safetensors'), '');
    expect(existsSync(folder.taken())).toBe(false);
  });

  it('around which all was turned into a link get a new place', () => {
    const outside = victim();
    const at = places();
    const folders = questionFolders(at);
    folders.next().show(write);
    renameSync(at.asked, join(work, 'away-with-all'));
    symlinkSync(outside, at.asked);
    const second = folders.next();
    second.show(write);
    expect(readdirSync(second.taken())).toEqual(['case.json']);
    expect(readdirSync(outside)).toEqual(['a', 'b']);
  });

  it('are never used twice, so that nothing can lie in wait for a question', () => {
    const at = places();
    const folders = questionFolders(at);
    const [first, second] = [folders.next(), folders.next()];
    first.show(write);
    spawnSync('mkfifo', [join(first.asked, `.case.json.${process.pid}.tmp`)]);
    folders.done(first);
    second.show((made) => {
      expect(readdirSync(made)).toEqual([]);
      write(made);
    });
    expect(readdirSync(at.asked)).toHaveLength(1);
  });

  it('are removed with folders and links in them, which are not followed', () => {
    const outside = victim();
    const own = mkdtempSync(join(work, 'own-'));
    const folder = join(own, 'answered');
    mkdirSync(join(folder, 'deep', 'deeper'), { recursive: true });
    symlinkSync(outside, join(folder, 'link'));
    symlinkSync(outside, join(folder, 'deep', 'deeper', 'link'));
    expect(removeDistrusted(folder, own)).toBe(true);
    expect(readdirSync(own)).toEqual([]);
    expect(readdirSync(outside)).toEqual(['a', 'b']);
  });
});

const gate = (...words: string[]) =>
  spawnSync('node', ['dist/gate/cli.js', 'gate', '--only', '*/basic/*', ...words], {
    ...{ cwd: root, encoding: 'utf8' },
  });

describeWithTools('in a sandbox', ['bwrap'], () => {
  const programs = join(work, 'programs');
  const socket = join(work, 'host.sock');
  let server: Server;
  beforeAll(() => {
    mkdirSync(programs);
    copyFileSync(join(root, 'gate/testing/swapper.mjs'), join(programs, 'swapper.mjs'));
    server = createServer().listen(socket);
  });
  afterAll(() => void server.close());

  it.each([
    ['folder', /swap: done/],
    ['parent', /swap: (EBUSY|EXDEV|EROFS|EACCES)/],
  ])(
    '%s made a link: nothing outside is touched; sockets and /proc/sys are out of reach',
    (manner, swap) => {
      const outside = victim();
      const command = `${process.execPath} ${programs}/swapper.mjs ${manner} ${outside} ${socket}`;
      const { stdout } = gate('--sandbox', '--out', join(work, 'out'), '--candidate', command);
      expect(readdirSync(outside)).toEqual(['a', 'b']);
      expect(stdout).toMatch(swap);
      expect(stdout).toMatch(/socket: false/);
      expect(stdout).toMatch(/core_pattern: E(ROFS|ACCES)/);
      expect(stdout).toMatch(/run: false/);
    },
  );
});

describe('--sandbox-show', () => {
  it('without --sandbox is refused', () => {
    const { status, stderr } = gate('--sandbox-show', root, '--candidate', 'true');
    expect(status).toBe(2);
    expect(stderr).toMatch(/"--sandbox-show" expected "--sandbox" beside it/);
  });
});
