/**
 * Run folders: what a run keeps lies in a folder of its own under `--out`, so that runs do not mix,
 * and no answer lies there while a candidate could read it.
 *
 * `latest` points to the folder of the last run, if that kept anything. Answers of earlier runs (and
 * of the findings of `fuzz`) are held in memory while a candidate runs, and put back when it has ended;
 * files that this project did not put there are never touched.
 * @module
 */
import {
  type Dirent,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { FINDINGS, INTERESTING } from './fuzz/corpus.ts';
import { opaqueName } from './question.ts';

const LATEST = 'latest';
const RUN_FOLDER = /^run-[0-9a-f]{24}$/;
const FOUND: readonly string[] = [FINDINGS, INTERESTING];
const EXPECTED = 'expected.safetensors';
/** Answers held in memory; what is more is removed, for `xattn oracle` writes it again. */
const HELD_BYTES_MAX = 2 ** 29;

/** Where a new run keeps what it keeps; nothing is made before something is kept. */
export function runFolder(outDir: string): string {
  unlinkLatest(outDir);
  return path.join(outDir, `run-${opaqueName()}`);
}

function unlinkLatest(outDir: string): void {
  const link = path.join(outDir, LATEST);
  if (lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true) rmSync(link);
}

/** Let `latest` point to a run that kept something; not where something else has that name. */
export function linkLatest(outDir: string, run: string): void {
  unlinkLatest(outDir);
  const link = path.join(outDir, LATEST);
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) return;
  try {
    symlinkSync(path.basename(run), link);
  } catch {
    // A file system without links: the report names the folder.
  }
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Answers under a folder; links are not followed. */
function answersUnder(folder: string): string[] {
  return entriesOf(folder).flatMap((entry) => {
    const at = path.join(folder, entry.name);
    if (entry.isDirectory()) return answersUnder(at);
    return entry.isFile() && entry.name === EXPECTED ? [at] : [];
  });
}

const foldersIn = (folder: string): string[] =>
  entriesOf(folder)
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => path.join(folder, name));

const isFinding = (folder: string): boolean =>
  FOUND.includes(path.basename(path.dirname(folder))) && /-[0-9a-f]{8}$/.test(folder);

/** The `--out` in which a kept case lies; another folder is taken for one itself. */
export function outOf(given: string): string {
  const folder = existsSync(given) ? realpathSync(given) : path.resolve(given);
  if (isFinding(folder)) return path.join(folder, '..', '..');
  const steps = folder.split(path.sep);
  const run = steps.findIndex((step) => RUN_FOLDER.test(step));
  return run < 0 ? folder : steps.slice(0, run).join(path.sep) || path.sep;
}

/** Folders that this project made under an `--out`. */
function ours(outDir: string): string[] {
  const found = FOUND.flatMap((part) => foldersIn(path.join(outDir, part))).filter(isFinding);
  return [...foldersIn(outDir).filter((one) => RUN_FOLDER.test(path.basename(one))), ...found];
}

/** Take the answers out of reach; what puts them back. */
function takeAway(folder: string): () => void {
  const held = new Map<string, Uint8Array>();
  let bytes = 0;
  const own = entriesOf(folder).some((entry) => entry.isFile() && entry.name === EXPECTED);
  // By its own path: under a link such as `latest` it would be found twice.
  const beside = own ? [path.join(realpathSync(folder), EXPECTED)] : [];
  const files = [...ours(outOf(folder)).flatMap(answersUnder), ...beside];
  for (const file of new Set(files.map((one) => path.resolve(one)))) {
    try {
      const content = readFileSync(file);
      rmSync(file);
      bytes += content.length;
      if (bytes <= HELD_BYTES_MAX) held.set(file, content);
    } catch {
      process.stderr.write(`xattn: ${file} holds an answer and cannot be put away\n`);
    }
  }
  return () => {
    for (const [file, content] of held) {
      try {
        mkdirSync(path.dirname(file), { recursive: true });
        writeFileSync(file, content, { flag: 'wx' });
      } catch {
        // Written anew meanwhile, or gone: `xattn oracle` writes it again.
      }
    }
    held.clear();
  };
}

/**
 * Run `use` while the answers of earlier runs under `folder` (an `--out`, or a case folder with the
 * answer that lies in it) are out of a candidate's reach. They come back however the process ends, unless it is killed outright.
 */
export async function withAnswersAway<T>(folder: string, use: () => Promise<T>): Promise<T> {
  const putBack = takeAway(folder);
  process.once('exit', putBack);
  try {
    return await use();
  } finally {
    process.removeListener('exit', putBack);
    putBack();
  }
}
