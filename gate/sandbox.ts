/**
 * `--sandbox`: a candidate sees the system read-only, without this package, what runs have kept, the
 * places where sockets and homes lie, and a network; it writes into its question folders and a
 * temporary folder of its own.
 *
 * Linux only, by bubblewrap (`bwrap`). What it cannot keep out is what the candidate brings along: a
 * program may hold a reference implementation of its own. Of the devices, accelerators stay.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import type { Candidate } from './candidate.ts';
import { type QuestionPlaces, removeDistrusted } from './question-folders.ts';
import { shellQuoted } from './text.ts';
import { placeOf } from './whole-file.ts';

export interface SandboxOptions {
  /** The candidate's command: what it names stays visible. */
  readonly command: string;
  /** Folders that are hidden besides this package; those that are not there need no hiding. */
  readonly hidden: readonly string[];
  /** Files and folders that are shown, read-only, though they lie in a hidden folder. */
  readonly shown: readonly string[];
  /** Files that the run writes and the candidate must not see, by the option that names them. */
  readonly secret: Readonly<Record<string, string | undefined>>;
}

export interface Sandbox {
  /** The shell command that runs `command` inside. */
  wrap(command: string): string;
  /** Where questions must lie, and a place beside that the candidate cannot see. */
  readonly scratch: QuestionPlaces;
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

/** The narrower folders first, each once, so that later mounts do not undo earlier ones. */
const outerFirst = (folders: readonly string[]): string[] =>
  [...new Set(folders)].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));

/** Places where sockets, homes and other programs' files lie; none of them where the user works. */
function privatePlaces(cwd: string): string[] {
  const places = present(['/run', '/var/run', '/tmp', '/var/tmp', '/home', '/root', homedir()]);
  return outerFirst(places).filter((place) => place !== cwd && place !== path.parse(place).root);
}

/** Where a program lies with what belongs to it: the parent of a `bin`, else the folder itself. */
const homeOf = (folder: string): string =>
  path.basename(folder) === 'bin' ? path.dirname(folder) : folder;

/** Files and folders that a command names, and the folders of its files, links followed too. */
function namedBy(command: string): string[] {
  const words = command
    .split(/[\s"'`;|&()<>=]+/)
    .map((word) => word.replace(/^~\//, `${homedir()}/`));
  return words.filter(path.isAbsolute).flatMap((word) => {
    const found = statSync(word, { throwIfNoEntry: false });
    if (found?.isDirectory() === true) return [word];
    if (found?.isFile() !== true) return [];
    return [word, ...[word, realpathSync(word)].map((file) => homeOf(path.dirname(file)))];
  });
}

/** Folders that environment variables name, where programs and libraries are looked for. */
function searched(): string[] {
  const { PATH = '', LD_LIBRARY_PATH = '', PYTHONPATH = '' } = process.env;
  const { VIRTUAL_ENV = '', CONDA_PREFIX = '' } = process.env;
  const folders = [LD_LIBRARY_PATH, PYTHONPATH, VIRTUAL_ENV, CONDA_PREFIX].join(':').split(':');
  return [...PATH.split(':').map(homeOf), ...folders, '/run/opengl-driver'].filter(path.isAbsolute);
}

/** What of the private places a candidate must see to run at all. */
function needed(command: string, cwd: string, places: readonly string[]): string[] {
  const wanted = present([cwd, ...namedBy(command), ...searched()]);
  // Nothing that holds a whole private place, and nothing that is visible anyway.
  const isPart = (one: string): boolean =>
    places.some((place) => isWithin(one, place)) && !places.some((place) => isWithin(place, one));
  return outerFirst(wanted.filter(isPart));
}

/** Graphics and other accelerators, by name under /dev. */
const ACCELERATORS = /^(nvidia.*|dri|kfd|dxg|accel.*|davinci.*|hisi_hdc|devmm_svm|apex_\d+)$/;

function accelerators(): string[] {
  const devices = readdirSync('/dev').filter((name) => ACCELERATORS.test(name));
  return devices.map((name) => path.join('/dev', name));
}

interface Scratch extends QuestionPlaces {
  readonly root: string;
  /** Its TMPDIR. */
  readonly temporary: string;
}

/** A place, and what of it there is inside; later ones lie over earlier ones. */
interface Mount {
  readonly at: string;
  readonly as: 'shown' | 'empty' | 'writable';
}

/** Throws RangeError where the working directory would be hidden. */
function mountsOf(scratch: Scratch, options: SandboxOptions): Mount[] {
  const root = packageRoot();
  const cwd = realpathSync(process.cwd());
  const places = privatePlaces(cwd);
  const open = present(OPEN_PARTS.map((part) => path.join(root, part)));
  const away = present(options.hidden).filter((one) => one !== root);
  const around = away.find((one) => isWithin(cwd, one));
  if (around !== undefined) {
    throw new RangeError(
      `"--sandbox" hides ${around} from the candidate, and expected a working directory outside it`,
    );
  }
  const all =
    (as: Mount['as']) =>
    (at: string): Mount => ({ at, as });
  const before: Mount[] = [
    ...['/', ...accelerators()].map(all('shown')),
    ...places.map(all('empty')),
    ...needed(options.command, cwd, places).map(all('shown')),
    { at: root, as: 'empty' },
    ...open.map(all('shown')),
  ];
  return [
    ...before,
    ...away.filter((one) => isSeen(before, one)).map(all('empty')),
    ...present(options.shown).map(all('shown')),
    { at: scratch.root, as: 'empty' },
    ...[scratch.asked, scratch.temporary].map(all('writable')),
  ];
}

/** Can what runs inside read this file? */
function isSeen(mounts: readonly Mount[], file: string): boolean {
  return mounts.findLast(({ at }) => isWithin(file, at))?.as !== 'empty';
}

const BINDS = { shown: '--ro-bind', writable: '--bind' } as const;

/** Arguments of bwrap up to the command. */
function sandboxArguments([whole, ...mounts]: readonly Mount[], temporary: string): string[] {
  const mount = ({ at, as }: Mount): string[] => {
    if (as === 'empty') return ['--tmpfs', at];
    return [as === 'shown' && isWithin(at, '/dev') ? '--dev-bind' : BINDS[as], at, at];
  };
  const devices = mounts.filter(({ at }) => isWithin(at, '/dev'));
  return [
    ...['--unshare-user-try', '--unshare-cgroup-try', '--unshare-net', '--unshare-ipc'],
    ...['--unshare-pid', '--unshare-uts', '--die-with-parent', '--new-session'],
    ...['--cap-drop', 'ALL', ...(whole === undefined ? [] : mount(whole)), '--dev', '/dev'],
    ...devices.flatMap(mount),
    ...['--proc', '/proc', '--ro-bind', '/proc/sys', '/proc/sys'],
    ...mounts.filter((one) => !devices.includes(one)).flatMap(mount),
    ...['--setenv', 'TMPDIR', temporary, '--chdir', realpathSync(process.cwd())],
  ];
}

/** A report says what has been judged so far, with the seed of the rest. */
function checkSecret(mounts: readonly Mount[], { secret, hidden }: SandboxOptions): void {
  for (const [option, file] of Object.entries(secret)) {
    if (file === undefined) continue;
    const { place, regular } = placeOf(file);
    if (!regular) continue;
    const folder = path.dirname(place);
    const real = existsSync(folder) ? realpathSync(folder) : folder;
    if (!isSeen(mounts, path.join(real, path.basename(place)))) continue;
    const better = path.join(hidden[0] ?? '', path.basename(place));
    throw new RangeError(
      `"${option}" expected a place that "--sandbox" hides from the candidate, such as ${better}, ` +
        `got ${file}`,
    );
  }
}

/** Why there can be no sandbox here; null when there can. */
function obstacle(prefix: readonly string[]): string | null {
  if (process.platform !== 'linux') return 'it needs Linux and bubblewrap';
  const tried = spawnSync('bwrap', [...prefix, 'true'], { encoding: 'utf8' });
  if (tried.error !== undefined) return `it needs bubblewrap, which is not installed (${INSTALL})`;
  if (tried.status !== 0) return `bubblewrap does not work here: ${tried.stderr.trim()}`;
  return null;
}

function checkSystem(prefix: readonly string[]): void {
  const reason = obstacle(prefix);
  if (reason === null) return;
  throw new RangeError(`"--sandbox" expected a system that has one: ${reason}`);
}

/** A sandbox, tried out. Throws RangeError with a sentence where there can be none. */
export function sandbox(options: SandboxOptions): Sandbox {
  for (const file of options.shown) {
    if (!existsSync(file)) {
      throw new RangeError(`"--sandbox-show" expected a file or folder, got ${file}`);
    }
  }
  const root = realpathSync(mkdtempSync(path.join(tmpdir(), 'xattn-sandbox-')));
  const [own, asked, temporary] = ['own', 'asked', 'tmp'].map((name) => path.join(root, name)) as [
    string,
    string,
    string,
  ];
  const scratch: Scratch = { root, own, asked, temporary };
  for (const folder of [own, asked, temporary]) mkdirSync(folder);
  // A candidate that has not ended yet may still write there: no link of its is followed.
  const remove = (): void => void removeDistrusted(root, path.dirname(root));
  try {
    const mounts = mountsOf(scratch, options);
    checkSecret(mounts, options);
    const prefix = sandboxArguments(mounts, temporary);
    checkSystem(prefix);
    return {
      wrap: (command) =>
        ['exec', 'bwrap', ...[...prefix, 'sh', '-c', command].map(shellQuoted)].join(' '),
      scratch,
      remove,
    };
  } catch (error) {
    remove();
    throw error;
  }
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
