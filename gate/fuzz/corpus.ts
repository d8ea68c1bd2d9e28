/**
 * Corpus: what a fuzzing run leaves for the next one, as case folders.
 *
 * `fuzz/` holds the smallest case of each finding, `fuzz-interesting/` passing cases that came nearer
 * to a bound than any before. Whatever else lies there, damaged folders included, is left alone and
 * counted.
 * @module
 */
import { type Dirent, existsSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { AttentionCase } from '../../reference/case/case.ts';
import { readCase } from '../../reference/files/case-folder.ts';
import { readBefore } from '../keep.ts';

export const FINDINGS = 'fuzz';
export const INTERESTING = 'fuzz-interesting';
/** Folders read of each kind; more are left alone. */
const READ_MAX = 500;

/** A case, and the questions to be asked of the same process before it. */
export interface CorpusCase {
  readonly folder: string;
  readonly question: AttentionCase;
  readonly before: readonly AttentionCase[];
}

export interface Corpus {
  readonly cases: CorpusCase[];
  /** Entries that are no case. */
  readonly ignored: number;
}

function entriesOf(folder: string): Dirent[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Every readable case that earlier runs left under `outDir`, findings first. */
export function readCorpus(outDir: string): Corpus {
  const cases: CorpusCase[] = [];
  let ignored = 0;
  for (const part of [FINDINGS, INTERESTING]) {
    for (const entry of entriesOf(path.join(outDir, part)).slice(0, READ_MAX)) {
      const folder = path.join(outDir, part, entry.name);
      try {
        if (!entry.isDirectory()) throw new RangeError('not a folder');
        cases.push({ folder, question: readCase(folder), before: readBefore(folder) });
      } catch {
        ignored++;
      }
    }
  }
  return { cases, ignored };
}

/** Where a finding came from, beside its case. */
export interface Origin {
  readonly kind: string;
  readonly reason: string;
  readonly words: readonly string[];
  readonly flaky: boolean;
  /** How many questions lie beside it, to be asked before it. */
  readonly after: number;
  /** What asking a new process has shown, where it did not just fail again. */
  readonly memory: string | null;
  /** Seed and path for fast-check; null for a case that came from the corpus. */
  readonly seed: number | null;
  readonly path: string | null;
  readonly shrinks: number;
  readonly shrinkSeconds: number;
  /** The law between larger cases by which it was found; null where the judge found it. */
  readonly law: string | null;
}

export function writeOrigin(folder: string, origin: Origin): void {
  writeFileSync(path.join(folder, 'fuzz.json'), `${JSON.stringify(origin, null, 2)}\n`);
}
