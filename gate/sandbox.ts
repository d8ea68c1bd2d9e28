/**
 * `--sandbox`: a candidate sees the system read-only, without this package, without what runs have
 * kept, and without a network; it writes into its question folders and a temporary folder of its own.
 *
 * Linux only, by bubblewrap (`bwrap`). What it cannot keep out is what the candidate brings along: a
 * program may hold a reference implementation of its own. Devices stay, for kernels need their GPU.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Candidate } from './candidate.ts';
import { shellQuoted } from './text.ts';

export interface SandboxOptions {
  /** Folders that are hidden besides this package; those that are not there need no hiding. */
  readonly hidden: readonly string[];
  /** Files and folders that are shown, read-only, though they lie in a hidden folder. */
  readonly shown: readonly string[];
}

export interface Sandbox {
  /** The shell command that runs `command` inside. */
  wrap(command: string): string;
  /** The folder in which questions must lie; a candidate can write here. */
  readonly scratch: string;
  /** Remove what was made for it. */
  remove(): void;
}

/** What of this package a candidate may use. */
const OPEN_PARTS = ['kit', 'node_modules', 'package.json'] as const;
const INSTALL = 'Debian and Ubuntu: apt-get install bubblewrap';

/** The folder of this package, built or not. */
function packageRoot(): string {
  for (let at = import.meta.dirname; ; at = path.dirname(at)) {
    const manifest = path.join(at, 'package.json');
    if (existsSync(manifest)) return realpathSync(at);
    if (path.dirname(at) === at) throw new Error('this package has no package.json');
  }
}

const isWithin = (inner: string, outer: string): boolean => {
  const way = path.relative(outer, inner);
  return way === '' || !(way === '..' || way.startsWith(`..${path.sep}`) || path.isAbsolute(way));
};

const present = (folders: readonly string[]): string[] =>
  folders.filter((folder) => existsSync(folder)).map((folder) => realpathSync(folder));

/** Arguments of bwrap up to the command; later mounts lie over earlier ones. */
export function sandboxArguments(scratch: string, { hidden, shown }: SandboxOptions): string[] {
  const root = packageRoot();
  const cwd = realpathSync(process.cwd());
  const open = present(OPEN_PARTS.map((part) => path.join(root, part)));
  // What runs have kept may surround the working directory; then answers are put away all the same.
  const away = present(hidden).filter((folder) => folder !== root && !isWithin(cwd, folder));
  const readOnly = (file: string): string[] => ['--ro-bind', file, file];
  return [
    ...['--unshare-net', '--unshare-ipc', '--unshare-pid', '--unshare-uts'],
    ...['--die-with-parent', '--new-session', '--cap-drop', 'ALL'],
    ...[
      '--ro-bind',
      '/',
      '/',
      '--dev-bind',
      '/dev',
      '/dev',
      '--tmpfs',
      '/dev/shm',
      '--proc',
      '/proc',
    ],
    ...['--tmpfs', root],
    ...open.flatMap(readOnly),
    ...away.flatMap((folder) => ['--tmpfs', folder]),
    ...present(shown).flatMap(readOnly),
    ...['--bind', scratch, scratch, '--setenv', 'TMPDIR', path.join(scratch, 'tmp')],
    ...['--chdir', cwd],
  ];
}

/** Why there can be no sandbox here; null when there can. */
function obstacle(prefix: readonly string[]): string | null {
  if (process.platform !== 'linux') return 'it needs Linux and bubblewrap';
  const tried = spawnSync('bwrap', [...prefix, 'true'], { encoding: 'utf8' });
  if (tried.error !== undefined) return `it needs bubblewrap, which is not installed (${INSTALL})`;
  if (tried.status !== 0) return `bubblewrap does not work here: ${tried.stderr.trim()}`;
  return null;
}

/** A sandbox, tried out. Throws RangeError with a sentence where there can be none. */
export function sandbox(options: SandboxOptions): Sandbox {
  for (const file of options.shown) {
    if (!existsSync(file)) {
      throw new RangeError(`"--sandbox-show" expected a file or folder, got ${file}`);
    }
  }
  const scratch = realpathSync(mkdtempSync(path.join(tmpdir(), 'xattn-sandbox-')));
  mkdirSync(path.join(scratch, 'tmp'));
  const remove = (): void => rmSync(scratch, { recursive: true, force: true });
  const prefix = sandboxArguments(scratch, options);
  const reason = obstacle(prefix);
  if (reason !== null) {
    remove();
    throw new RangeError(`"--sandbox" expected a system that has one: ${reason}`);
  }
  return {
    wrap: (command) =>
      ['exec', 'bwrap', ...[...prefix, 'sh', '-c', command].map(shellQuoted)].join(' '),
    scratch,
    remove,
  };
}

/** A candidate whose program runs inside; the sandbox goes when the candidate has ended. */
export function confined(inside: Sandbox, candidate: Candidate): Candidate {
  process.once('exit', inside.remove);
  return {
    ...candidate,
    scratch: inside.scratch,
    async close() {
      await candidate.close();
      process.removeListener('exit', inside.remove);
      inside.remove();
    },
  };
}
