/**
 * Failing cases are kept: the case and what the candidate wrote, at once; what was expected only when
 * the candidate has ended; and the command that asks the same question again.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { AttentionCase } from '../reference/case/case.ts';
import { readCase, writeCase, writeExpected } from '../reference/files/case-folder.ts';
import { readRegular } from '../reference/files/regular-file.ts';
import { printedWord } from './text.ts';

const OUTPUT_FILE = /^outputs(\.rank\d{1,4})?\.safetensors$/;
const BEFORE = 'before';
const EXPECTED = 'expected.safetensors';
const KEPT_BYTES_MAX = 1 << 28;

/** The files that a candidate left and that are fit to be kept; none of a folder that is gone. */
function outputFiles(folder: string): string[] {
  const isFit = (name: string): boolean => {
    const found = lstatSync(path.join(folder, name), { throwIfNoEntry: false });
    return found?.isFile() === true && found.size <= KEPT_BYTES_MAX;
  };
  try {
    return readdirSync(folder).filter((name) => OUTPUT_FILE.test(name) && isFit(name));
  } catch {
    return [];
  }
}

/** Keep `question`, asked in `folder` (null: only the question), under `outDir`; where it is kept. */
export function keepCase(question: AttentionCase, folder: string | null, outDir: string): string {
  const kept = path.join(outDir, question.parameters.id);
  mkdirSync(kept, { recursive: true });
  for (const name of outputFiles(kept)) rmSync(path.join(kept, name));
  writeCase(kept, question);
  for (const name of folder === null ? [] : outputFiles(folder)) {
    // Read as a regular file, whatever has been put there since it was listed.
    const bytes = readRegular(folder ?? kept, name, KEPT_BYTES_MAX);
    if (bytes !== null) writeFileSync(path.join(kept, name), bytes, { flag: 'wx' });
  }
  rmSync(path.join(kept, EXPECTED), { force: true });
  rmSync(path.join(kept, BEFORE), { recursive: true, force: true });
  return kept;
}

/** Keeps a case where none is yet: the same case found again, by whomever, gets another name. */
export function keepNewCase(
  question: AttentionCase,
  folder: string | null,
  outDir: string,
): string {
  let { id } = question.parameters;
  mkdirSync(path.join(outDir, path.dirname(id)), { recursive: true });
  for (;;) {
    try {
      mkdirSync(path.join(outDir, id));
      return keepCase({ ...question, parameters: { ...question.parameters, id } }, folder, outDir);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      id = id.replace(/[0-9a-f]{8}$/, randomBytes(4).toString('hex'));
    }
  }
}

/**
 * Keep the questions that were asked before a kept case, in order, where `replay` finds them. Throws
 * where they cannot be written, and leaves none then: a part of them would not make the case fail.
 */
export function keepBefore(kept: string, questions: readonly AttentionCase[]): void {
  const folder = path.join(kept, BEFORE);
  try {
    for (const [n, question] of questions.entries()) {
      writeCase(path.join(folder, String(n + 1).padStart(3, '0')), question);
    }
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** The questions to be asked before a kept case, in order; most have none. */
export function readBefore(kept: string): AttentionCase[] {
  const folder = path.join(kept, BEFORE);
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => /^\d{3}$/.test(name));
  return names.sort().map((name) => readCase(path.join(folder, name)));
}

/** Of the minute's work that `xattn oracle` grants: kept cases may be many. */
const WORK = 1 / 60;

/**
 * Write what was expected of the kept cases, only when no candidate runs that could read it: the
 * oracle's answer, correctly rounded to float64, NaN where it is undecided. The number systems take a
 * second to load, so not before there is a case.
 */
export async function writeAnswers(folders: readonly string[]): Promise<void> {
  if (folders.length === 0) return;
  const { oracle } = await import('../reference/oracle/oracle.ts');
  for (const kept of folders) {
    const expected = Object.entries(oracle(readCase(kept), { work: WORK }).values);
    writeExpected(
      kept,
      expected.map(([name, tensor]) => ({ name, dtype: 'F64', tensor })),
    );
  }
}

/** The value of an option: a text, several, or just that it is there. */
export type OptionValue = string | readonly string[] | boolean | undefined;

export function optionWords(name: string, value: OptionValue): string[] {
  if (value === undefined || value === false) return [];
  if (value === true) return [`--${name}`];
  return [value].flat().flatMap((one) => [`--${name}`, printedWord(one)]);
}

/** The command that judges the case in `folder` again; `options` in the order to be printed. */
export function replayCommand(
  folder: string,
  options: Readonly<Record<string, OptionValue>>,
): string {
  const words = Object.entries(options).flatMap(([name, value]) => optionWords(name, value));
  return ['xattn', 'replay', printedWord(folder), ...words].join(' ');
}
